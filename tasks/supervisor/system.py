"""The whole system as an object: start it, wait until it is ready, stop it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType

from tasks.settings import Settings
from tasks.supervisor import ports, var_lock
from tasks.supervisor.broker import Broker
from tasks.supervisor.errors import NotReady, SupervisorError
from tasks.supervisor.life import Phase
from tasks.supervisor.service import Role, Service
from tasks.supervisor.supervisord import Supervisord, Unreachable
from tasks.supervisor.watcher import Watcher

#: How often the services are looked at: while one is not ready, and when there is nothing to wait for.
LOOK_EVERY_S = 0.1
LOOK_AT_REST_EVERY_S = 0.5

_WAIT_EVERY_S = 0.05

#: supervisord needs a little more than the graces of what it stops.
_MARGIN_S = 5.0

#: What a service left behind gets this long after SIGTERM.
_LEFTOVER_GRACE_S = 3.0


def _silence(_line: str) -> None:
    pass


class System:
    """All services of one Celeriac, kept up as long as this object is started.

    A context manager: starts at its beginning, stops at its end. The services read their settings from the
    environment of this process; `settings` must be those.

    Args:
        settings: of this process.
        services: see `tasks.supervisor.lineup`.
        say: gets each event worth telling, as a line; called from another thread.
    """

    def __init__(self, settings: Settings, services: Sequence[Service], say: Callable[[str], None] = _silence) -> None:
        self._settings = settings
        self._services = services
        self._broker = Broker(settings)
        self._supervisord = Supervisord(services, settings.var)
        self._watcher = Watcher(services, self._supervisord, self._broker, settings, say)
        self._unwatched = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._guard: subprocess.Popen[bytes] | None = None
        self._hurry = threading.Event()
        self._failure = ""
        self._cleanup = ExitStack()

    def __enter__(self) -> System:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def failure(self) -> str:
        """Why the system cannot go on; empty as long as it can."""
        return self._failure or self._watcher.failure

    @property
    def settled(self) -> bool:
        """Every service is ready, out or given up."""
        return self._watcher.settled

    @property
    def logs(self) -> str:
        """The folder of the services' logs."""
        return str(self._supervisord.paths.logs)

    def start(self) -> None:
        """Start supervisord and look after the services from now on; does not wait until they are ready.

        The system ends with the thread that calls this.

        Raises:
            PortTaken: another program listens where the API or Flower wants to.
            AlreadyRunning: another system has the same CELERIAC_VAR.
            SettingsError: REDIS_URL cannot be used.
            SupervisorError: supervisord did not start.
        """
        with ExitStack() as undo:
            undo.callback(self._supervisord.close)
            lock = var_lock.lock(self._settings.var)
            undo.callback(var_lock.unlock, lock)
            ports.refuse_taken(self._settings)
            self._broker.refuse_unusable_url()
            undo.callback(self._broker.close)
            undo.callback(self._end_processes)
            supervisord = self._supervisord.start(keep_open=lock)
            self._guard = self._start_guard(supervisord, lock)
            self._thread.start()
            self._cleanup = undo.pop_all()

    def wait_until_ready(self, timeout_s: float) -> dict[str, str]:
        """Wait until every service is ready or given up.

        Returns:
            The services that were given up, and why.

        Raises:
            NotReady: it took longer; the sentence names the services that are not ready.
            SupervisorError: the system cannot go on without one of those given up.
        """
        deadline_s = time.monotonic() + timeout_s
        while not self.settled and not self.failure:
            if time.monotonic() > deadline_s:
                late = [name for name, life in self._watcher.lives.items() if not life.settled]
                raise NotReady(f"Not ready after {timeout_s:g} s: {', '.join(late)}. Their logs: {self.logs}.")
            time.sleep(_WAIT_EVERY_S)
        if self.failure:
            raise SupervisorError(self.failure)
        return dict(self._watcher.reasons)

    def stop(self, hurry: threading.Event | None = None) -> None:
        """Stop API, workers, keeper, Flower and broker in this order, each with its own grace, and clean up.

        Args:
            hurry: when it is set, now or meanwhile, what still lives is ended by SIGKILL.
        """
        self._unwatched.set()
        if self._thread.is_alive():
            self._thread.join(_MARGIN_S)
        self._hurry = hurry or self._hurry
        self._cleanup.close()

    def models(self) -> dict[str, str]:
        """Each model and, in words, what became of its worker."""
        return {service.model: self._words(service.name) for service in self._services if service.model}

    def _words(self, service: str) -> str:
        phase = self._watcher.lives[service].phase
        if phase is Phase.OUT:
            return "evicted; its next job starts it"
        return f"gave up: {self._watcher.reasons[service]}" if phase is Phase.GIVEN_UP else phase.value

    def _watch(self) -> None:
        while not self._unwatched.wait(LOOK_AT_REST_EVERY_S if self.settled else LOOK_EVERY_S):
            try:
                self._watcher.step(time.monotonic())
            except Unreachable:
                if self._supervisord.has_ended():
                    self._failure = "supervisord has ended unasked, and the services with it."
            except BaseException:
                # A supervisor that no longer looks must not pass for one that does.
                self._failure = "The supervisor itself has failed; the traceback above says where."
                raise
            if self.failure:
                return

    def _start_guard(self, supervisord: int, lock: int) -> subprocess.Popen[bytes]:
        limits = (str(self._longest_stop_s()), str(_LEFTOVER_GRACE_S))
        return subprocess.Popen(
            (sys.executable, "-m", "tasks.supervisor.guard", str(supervisord), *limits),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[lock],
            start_new_session=True,
        )

    def _end_processes(self) -> None:
        self._supervisord.terminate()
        deadline_s = time.monotonic() + self._longest_stop_s()
        while not self._supervisord.await_end(_WAIT_EVERY_S):
            if self._hurry.is_set() or time.monotonic() > deadline_s:
                self._supervisord.kill()
        if self._guard:
            # The end of its input is what it waits for; it ends what was left behind.
            self._guard.communicate()

    def _longest_stop_s(self) -> float:
        graces = {role: 0 for role in Role}
        for service in self._services:
            graces[service.role] = max(graces[service.role], service.stop_grace_s)
        return sum(graces.values()) + _MARGIN_S
