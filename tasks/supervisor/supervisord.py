"""supervisord as a child process: starting it, asking it, telling it what to start and stop."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from tasks.supervisor import session
from tasks.supervisor.errors import SupervisorError
from tasks.supervisor.service import Service
from tasks.supervisor.supervisord_conf import Paths, configuration, full_name

#: sun_path holds 108 bytes on Linux and 104 on macOS; supervisord first binds the name with its process id added.
LONGEST_SOCKET_PATH_BYTES = 90

START_S = 20.0
_LOOK_EVERY_S = 0.05
_TAIL_BYTES = 16_384


class Unreachable(SupervisorError):
    """supervisord did not answer this time."""


@dataclass(frozen=True)
class ProcessState:
    """A service's process as supervisord sees it. `pid` is 0 when there is none."""

    pid: int


class Supervisord:
    """One supervisord and its files in `var`. Starting and asking belong to one thread at a time; ending is for any."""

    def __init__(self, services: Sequence[Service], var: Path) -> None:
        self._services = {full_name(service): service.name for service in services}
        self._full_names = {name: full for full, name in self._services.items()}
        self.paths = _paths(var.resolve())
        self._text = configuration(services, self.paths)
        self._process: subprocess.Popen[bytes] | None = None
        self._transport = SupervisorTransport(serverurl=f"unix://{self.paths.socket}")
        self._remote: Any = ServerProxy("http://localhost", transport=self._transport)

    def start(self, keep_open: int) -> int:
        """Start it, and return when it answers.

        It ends with the thread that calls this.

        Args:
            keep_open: a file descriptor that it holds as long as it lives.

        Returns:
            Its process id, which is the id of its session too.

        Raises:
            SupervisorError: it did not start; the sentence says where to look.
        """
        self.paths.logs.mkdir(parents=True, exist_ok=True)
        self.paths.configuration.write_text(self._text)
        leash = (sys.executable, "-m", "tasks.supervisor.leash", "TERM", str(os.getpid()), "--")
        server = (sys.executable, "-m", "supervisor.supervisord", "-c", str(self.paths.configuration))
        with self.paths.own_log.open("ab") as log:
            self._process = subprocess.Popen(
                leash + server,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[keep_open],
                # A Ctrl-C in the terminal is the front's alone; and the session finds all that descends from it.
                start_new_session=True,
            )
        self._await_answer()
        return self._process.pid

    def states(self) -> dict[str, ProcessState]:
        """Each service's process."""
        try:
            answer = cast(list[dict[str, Any]], self._ask(self._remote.supervisor.getAllProcessInfo))
        except Fault as error:
            raise Unreachable(f"supervisord does not tell its processes ({error.faultString}).") from error
        names = (self._services[f"{info['group']}:{info['name']}"] for info in answer)
        return {name: ProcessState(pid=info["pid"]) for name, info in zip(names, answer, strict=True)}

    def start_service(self, name: str) -> None:
        """Start a service's process. That it ends at once is no error here; `states` shows it."""
        with suppress(Fault):
            self._ask(self._remote.supervisor.startProcess, self._full_names[name], False)

    def stop_service(self, name: str) -> None:
        """Ask a service's process to end, with its grace; does not wait, and is no error when there is none."""
        with suppress(Fault):
            self._ask(self._remote.supervisor.stopProcess, self._full_names[name], False)

    def ask_to_end(self, name: str) -> None:
        """Send a service's process SIGTERM, and leave it to it when it ends; no error when there is none."""
        with suppress(Fault):
            self._ask(self._remote.supervisor.signalProcess, self._full_names[name], "TERM")

    def last_end(self, name: str) -> str:
        """How a service's process last ended, such as "exit status 1" or "terminated by SIGKILL".

        Its remote interface tells the number of a signal to nobody, its log does.
        """
        ends = re.findall(rf" (?:exited|stopped): {re.escape(name)} \(([^;)]*)", _tail(self.paths.own_log))
        return ends[-1] if ends else "for an unknown reason"

    def last_words(self, name: str) -> str:
        """The last line that a service wrote."""
        lines = [line.strip() for line in _tail(self.paths.log(name)).splitlines()]
        return next((line for line in reversed(lines) if line), "it wrote nothing")

    def has_ended(self) -> bool:
        """Whether supervisord itself is gone."""
        return self._process is None or self._process.poll() is not None

    def terminate(self) -> None:
        """Have it stop all services in their order, each with its grace, and end; does not wait."""
        if self._process:
            self._process.terminate()

    def await_end(self, limit_s: float) -> bool:
        """Wait for its end; whether it came within `limit_s`."""
        deadline_s = time.monotonic() + limit_s
        while not self.has_ended():
            if time.monotonic() > deadline_s:
                return False
            self._nudge()
            time.sleep(_LOOK_EVERY_S)
        return True

    def kill(self) -> None:
        """End it and all that it started with SIGKILL."""
        if self._process:
            session.kill(self._process.pid)

    def _nudge(self) -> None:
        # It sleeps up to a second between two looks at ended processes, unless somebody connects.
        with suppress(OSError), socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(_LOOK_EVERY_S)
            knock.connect(str(self.paths.socket))

    def close(self) -> None:
        """Remove what it needed while it ran; to be called after its end."""
        self._transport.close()
        if self.paths.socket.parent != self.paths.configuration.parent:
            self.paths.socket.unlink(missing_ok=True)
            self.paths.socket.parent.rmdir()

    def _await_answer(self) -> None:
        deadline_s = time.monotonic() + START_S
        while True:
            try:
                self.states()
            except Unreachable:
                if self.has_ended() or time.monotonic() > deadline_s:
                    raise SupervisorError(f"supervisord did not start; see the end of {self.paths.own_log}.") from None
                time.sleep(_LOOK_EVERY_S)
            else:
                return

    def _ask(self, method: Any, *arguments: Any) -> Any:
        try:
            return method(*arguments)
        except (OSError, http.client.HTTPException) as error:
            self._transport.close()
            raise Unreachable(f"supervisord does not answer ({error}).") from error


def _paths(var: Path) -> Paths:
    var.mkdir(parents=True, exist_ok=True)
    address = var / "supervisord.sock"
    if len(os.fsencode(address)) > LONGEST_SOCKET_PATH_BYTES:
        address = Path(tempfile.mkdtemp(prefix="celeriac-")) / "supervisord.sock"
    return Paths(
        configuration=var / "supervisord.conf",
        socket=address,
        pid_file=var / "supervisord.pid",
        logs=var / "logs",
    )


def _tail(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            stream.seek(max(file.stat().st_size - _TAIL_BYTES, 0))
            return stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
