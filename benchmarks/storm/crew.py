"""The whole system under the storm: broker, keeper, API and workers, each a real process; it ends with its block."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.contestant import ROOT
from benchmarks.errors import BenchmarkError
from benchmarks.ports import free_port
from benchmarks.storm.member import Member
from benchmarks.storm.schedule import API, API_CHILD, BROKER, KEEPER, MODELS, WORKERS, WORKERS_PER_MODEL, Action, Deed
from tasks.broker import connect
from tasks.embedded_broker import prepare, server_binary
from tasks.errors import BrokerUnavailable
from tasks.model_registry import ModelRegistry

START_TIMEOUT_S = 120.0

LEASE_S = 3

_SIGNALS = {Deed.KILL: signal.SIGKILL, Deed.STOP: signal.SIGSTOP, Deed.RESTART: signal.SIGTERM}


class Crew:
    """All processes by name.

    Args:
        folder: data and logs.
        store: the models.
        result_ttl_s: how long ended jobs are kept; longer than the storm, so that they can be audited.

    Attributes:
        port: the API's.
        url: the broker's.
        done: how many of each deed have met a living process.
    """

    def __init__(self, folder: Path, store: Path, result_ttl_s: int) -> None:
        (folder / "broker").mkdir(parents=True)
        (folder / "logs").mkdir()
        self.port = free_port()
        configuration = prepare(folder / "broker")
        self.url = (folder / "broker" / "url").read_text().strip()
        self.done: Counter[tuple[Deed, str]] = Counter()
        self._var = str(folder / "var")
        self._environment = {
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "REDIS_URL": self.url,
            "PORT": str(self.port),
            "CELERIAC_MODEL_STORE": str(store),
            "CELERIAC_VAR": self._var,
            "CELERIAC_LEASE_S": str(LEASE_S),
            "CELERIAC_RESULT_TTL_S": str(result_ttl_s),
            "CELERIAC_API_PROCESSES": "2",
        }
        commands = {
            BROKER: [str(server_binary()), str(configuration)],
            KEEPER: _celery("keeper", "keeper", "-B"),
            API: [sys.executable, "-m", "api"],
            **{name: _celery(f"model.{name.split('-')[1]}", name) for name in WORKERS},
        }
        self.members = {name: Member(name, argv, self._environment, folder / "logs") for name, argv in commands.items()}
        self._stopped: dict[str, list[psutil.Process]] = {}

    def __enter__(self) -> Crew:
        try:
            for member in self.members.values():
                member.start()
            self.await_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.calm()
        # The broker is the first: it ends last, so that the others can finish what they do.
        for member in reversed(self.members.values()):
            member.stop()
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if one.environ().get("CELERIAC_VAR") == self._var:
                    one.kill()

    def await_ready(self) -> None:
        """Wait until every worker is ready to serve.

        Raises:
            BenchmarkError: not in time.
        """
        registry = ModelRegistry(connect(self.url))

        def all_ready() -> bool:
            with contextlib.suppress(BrokerUnavailable):
                return all(len(one.workers) >= WORKERS_PER_MODEL for one in registry.all()) and len(
                    registry.all()
                ) == len(MODELS)
            return False

        if not self.tend_until(all_ready, START_TIMEOUT_S):
            raise BenchmarkError(f"Not all workers are ready within {START_TIMEOUT_S:.0f} s; see their logs.")

    def tend_until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Start again whoever ends, until a condition holds; gives whether it came to that."""
        deadline_s = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline_s:
                return False
            self.revive()
            time.sleep(0.05)
        return True

    def revive(self) -> None:
        """Start again whoever has ended."""
        for member in self.members.values():
            member.revive()

    def strike(self, action: Action) -> None:
        """Do one of the deeds that a process suffers: kill, stop, let go on, restart."""
        if action.deed is Deed.GO_ON:
            self._resume(action.target)
        elif action.target == API_CHILD:
            self._strike_child(action.deed)
        elif self._strike_member(self.members[action.target], action.deed):
            self.done[action.deed, action.target] += 1

    def family(self, target: str) -> list[psutil.Process]:
        """The living processes behind a name."""
        member = self.members[API if target == API_CHILD else target]
        if target == API_CHILD:
            return member.children()
        with contextlib.suppress(psutil.NoSuchProcess):
            return [psutil.Process(member.pid)]
        return []

    def calm(self) -> None:
        """Let everybody who is stopped go on."""
        for name in list(self._stopped):
            self._resume(name)

    def _strike_member(self, member: Member, deed: Deed) -> bool:
        if deed is Deed.RESTART:
            return member.restart()
        if deed is Deed.STOP:
            self._stopped.setdefault(member.name, []).extend(self.family(member.name))
        return member.signal(_SIGNALS[deed])

    def _strike_child(self, deed: Deed) -> None:
        for child in self.members[API].children()[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(_SIGNALS[deed])
                self.done[deed, API_CHILD] += 1
                if deed is Deed.STOP:
                    self._stopped.setdefault(API_CHILD, []).append(child)

    def _resume(self, name: str) -> None:
        for one in self._stopped.pop(name, []):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.resume()


def _celery(queue: str, name: str, *more: str) -> list[str]:
    command = [sys.executable, "-m", "celery", "-A", "tasks.app", "worker", "-Q", queue, "-n", f"{name}@storm"]
    return [*command, "--without-gossip", "--without-mingle", "--loglevel", "INFO", *more]
