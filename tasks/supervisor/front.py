"""The process in the foreground: it shows what happens, and stops the system when it is told to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType

from tasks.settings import Settings
from tasks.supervisor.service import Service
from tasks.supervisor.system import System

_LOOK_EVERY_S = 0.2


class StopSignals:
    """Ctrl-C, SIGTERM and the terminal's end as events, for as long as the context lasts."""

    _NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        #: Set by the first of them.
        self.stop = threading.Event()
        #: Set by a Ctrl-C after that.
        self.hurry = threading.Event()
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopSignals:
        """Take the signals over."""
        self._before = {number: signal.signal(number, self._take) for number in self._NUMBERS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signals back."""
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type] # what signal.signal returned

    def _take(self, number: int, _frame: FrameType | None) -> None:
        # Only a second Ctrl-C is impatience: SIGTERM comes again when both make and its parent pass it on.
        if number == signal.SIGINT and self.stop.is_set():
            self.hurry.set()
        self.stop.set()


def run(settings: Settings, services: Sequence[Service], say: Callable[[str], None]) -> int:
    """Keep the services up until a signal says stop; the exit code of the process.

    Returns:
        0 after a stop that was asked for, 1 when the system could not go on.

    Raises:
        SupervisorError: the system could not be started.
    """
    with StopSignals() as signals:
        system = System(settings, services, say)
        system.start()
        try:
            say(f"Starting {', '.join(service.name for service in services)}.")
            _await_settled(system, signals)
            if not signals.stop.is_set() and not system.failure:
                for line in _summary(settings, system):
                    say(line)
            while not signals.stop.wait(_LOOK_EVERY_S) and not system.failure:
                pass
            say(system.failure or "Stopping; Ctrl-C once more ends everything at once.")
        finally:
            system.stop(signals.hurry)
        return 1 if system.failure else 0


def _await_settled(system: System, signals: StopSignals) -> None:
    while not system.settled and not system.failure and not signals.stop.wait(_LOOK_EVERY_S):
        pass


def _summary(settings: Settings, system: System) -> list[str]:
    models = [f"  {model}: {words}" for model, words in system.models().items()]
    return [
        f"API:    {_url(settings.host, settings.port)}",
        f"Flower: {_url(settings.flower_host, settings.flower_port)}",
        f"Logs:   {system.logs}",
        "Models:" if models else f"Models: none in {settings.model_store}",
        *models,
    ]


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
