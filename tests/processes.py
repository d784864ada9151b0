"""`celeriac up` as a real process for the tests, with small stand-ins for the services: `python -m tests.processes`.

The broker is the real one. A model's folder name says how its worker behaves, see `_worker`.
"""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from tasks.broker import connect
from tasks.broker_address import broker_url
from tasks.model_registry import LiveWorker, ModelRegistry
from tasks.settings import Settings, read_settings
from tasks.supervisor import command, watcher
from tasks.supervisor.broker import Broker, worker_name
from tasks.supervisor.lineup import lineup
from tasks.supervisor.service import Role, Service

ROOT = Path(__file__).parents[1]

#: Modules that are `celeriac up`, with stand-ins and with the real services.
STAND_INS = ("tests.processes", "up")
REAL = ("tasks.supervisor.command",)


def until(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """The first true answer of `condition`; fails when there is none in time."""
    deadline_s = time.monotonic() + timeout_s
    while not (answer := condition()):
        assert time.monotonic() < deadline_s, f"not within {timeout_s} s"
        time.sleep(0.02)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Up:
    """One `celeriac up`: its process, its output, its folder, and everything that it started."""

    def __init__(self, var: Path, models: Sequence[str] = (), **environment: str) -> None:
        self.var = var
        store = var.with_name(var.name + "-models")
        for model in models:
            (store / model).mkdir(parents=True)
        store.mkdir(parents=True, exist_ok=True)
        var.mkdir(exist_ok=True)
        self._output = var.with_name(var.name + "-output")
        self.environment = {
            **os.environ,
            "CELERIAC_VAR": str(var),
            "CELERIAC_MODEL_STORE": str(store),
            "PORT": str(free_port()),
            "CELERIAC_FLOWER_PORT": str(free_port()),
            "CELERIAC_STOP_GRACE_S": "20",
            # All models are in memory, whatever the machine has.
            "CELERIAC_MEMORY_LIMIT_MB": "1000000",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *wrapper: str, options: Sequence[str] = (), module: Sequence[str] = STAND_INS) -> Up:
        """Start it as the leader of a process group, as a shell does; `wrapper` is a command that starts it."""
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", *module, *options],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        return self

    def output(self) -> str:
        return self._output.read_text() if self._output.exists() else ""

    def await_line(self, text: str, timeout_s: float = 20.0) -> str:
        """The first line with `text`."""
        return str(until(lambda: next((line for line in self.output().splitlines() if text in line), ""), timeout_s))

    def await_ready(self) -> Up:
        self.await_line("Models:")
        return self

    def code(self, timeout_s: float = 30.0) -> int:
        """The exit code, waited for."""
        assert self.process
        return self.process.wait(timeout_s)

    def stops(self) -> list[str]:
        """Which services were asked to stop, in that order."""
        file = self.var / "stops"
        return file.read_text().split() if file.exists() else []

    def settings(self) -> Settings:
        return read_settings(self.environment)

    def registry(self) -> ModelRegistry:
        return ModelRegistry(connect(broker_url(self.settings())))

    def find(self, *words: str) -> psutil.Process:
        """The process of this system whose command line holds all the words."""
        found = [one for one in self.processes() if set(words) <= set(_command_line(one))]
        assert len(found) == 1, f"{words}: {found}"
        return found[0]

    def broker(self) -> psutil.Process:
        """The embedded server's process; its command line is a title of its own."""
        return next(one for one in self.processes() if "valkey-server" in " ".join(_command_line(one)))

    def processes(self) -> list[psutil.Process]:
        """All that lives and descends from it, whoever adopted it."""
        return [one for one in psutil.process_iter() if _belongs_to(one, self.var)]

    def kill_all(self) -> None:
        for one in self.processes():
            # Some end with those that were killed before them.
            with suppress(psutil.NoSuchProcess):
                one.kill()
        if self.process:
            self.process.wait(10)


def _belongs_to(process: psutil.Process, var: Path) -> bool:
    # The folder is in the environment of all, but the broker writes its title over its own; that one works in it.
    try:
        own = process.environ().get("CELERIAC_VAR") == str(var) or process.cwd() == str(var / "broker")
        return own and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@dataclass(frozen=True)
class LeftNote:
    """The process has left a note that it takes signals now. The real keeper is only waited for."""

    def holds(self, pid: int, alive_s: float, broker: Broker) -> bool:
        return _note(pid).exists()


def _note(pid: int) -> Path:
    return Path(os.environ["CELERIAC_VAR"]) / f"note-of-{pid}"


def _stand_ins(settings: Settings, models: Sequence[str]) -> list[Service]:
    """The real list of services, with stand-ins' command lines for all but the broker."""
    return [_stand_in(service) for service in lineup(settings, models)]


def _stand_in(service: Service) -> Service:
    if service.role is Role.BROKER:
        return service
    argv = (sys.executable, "-m", "tests.processes", service.role.name.lower(), service.name)
    if service.role is Role.KEEPER:
        return replace(service, argv=argv, readiness=LeftNote())
    return replace(service, argv=argv)


def _up() -> None:
    command.lineup = _stand_ins
    watcher.BROKER_WAIT_S = 2.0
    command.up(sys.argv[2:])


def _worker() -> None:
    """Behave as the model's name says.

    `broken` ends at once, `mute` fails to start without a word to the registry, `stubborn` ignores SIGTERM.
    """
    model = sys.argv[2].removeprefix("worker-")
    client = connect(broker_url(read_settings()))
    registry = ModelRegistry(client)
    if model == "broken":
        registry.publish_failure(model, "The file is truncated.")
        raise SystemExit(1)
    if model == "mute":
        raise SystemExit("I cannot open the file.")
    _on_stop(ignore=model == "stubborn", last=client.ping)
    registry.publish_ready({"name": model}, LiveWorker(worker_name(model), os.getpid(), 1, "cpu"))
    threading.Event().wait()


def _keeper() -> None:
    _on_stop()
    _note(os.getpid()).touch()
    threading.Event().wait()


def _api() -> None:
    """Serve, with a child process as a server has; at its end it forgets the child."""
    if os.environ.get("STAND_IN_API") == "broken":
        raise SystemExit("There is no API today.")
    subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()", "child-of-api"])
    _serve(read_settings().port)


def _flower() -> None:
    _serve(read_settings().flower_port)


def _serve(port: int) -> None:
    _on_stop()
    http.server.ThreadingHTTPServer(("127.0.0.1", port), _Health).serve_forever()


class _Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def _on_stop(ignore: bool = False, last: Callable[[], object] = bool) -> None:
    """Note the stop signal, with a working broker where `last` needs it, and end, or not."""

    def stop(*_: object) -> None:
        last()
        with (Path(os.environ["CELERIAC_VAR"]) / "stops").open("a") as file:
            file.write(f"{sys.argv[2]}\n")
        if not ignore:
            os._exit(0)

    signal.signal(signal.SIGTERM, stop)


#: Makes systems of stand-in services: `systems("a model", SETTING="…")`.
Systems = Callable[..., Up]


if __name__ == "__main__":
    {"up": _up, "worker": _worker, "keeper": _keeper, "api": _api, "flower": _flower}[sys.argv[1]]()
