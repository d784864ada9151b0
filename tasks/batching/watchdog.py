"""Ends the worker when a call of its model lasts too long: nothing in the process can end such a call alone.

The attempts of its jobs are counted already, so they run elsewhere when their leases are over, each alone; one that
hangs again and again is poisoned in the end.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import NoReturn

logger = logging.getLogger(__name__)

#: What timeout(1) ends with. The supervisor takes it for the crash that it is.
EXIT_CODE = 124

#: A call that keeps the interpreter's lock keeps the watchdog from looking as well. It is ended so much later.
BACKSTOP_S = 10.0
#: Its file descriptor: Celery puts a logger, which has none, where Python has its own.
STDERR = 2

#: Between two looks; a call may last so much longer.
LONGEST_PAUSE_S = 1.0


class Watchdog:
    """Watches calls of the model on all threads.

    Args:
        timeout_s: asked for how long one may last.
        end: called, on a thread of its own, when one lasts longer.
        alive: called with `timeout_s` at each look, and so no more when nothing in the process can look.
    """

    def __init__(
        self,
        timeout_s: Callable[[], float],
        end: Callable[[float], None],
        alive: Callable[[float], None] = lambda timeout_s: None,
    ) -> None:
        self._timeout_s = timeout_s
        self._end = end
        self._alive = alive
        self._lock = threading.Lock()
        #: By thread, by the monotonic clock.
        self._since_s: dict[int, float] = {}

    def start(self) -> None:
        """Watch until the process ends."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch what this thread does in the block."""
        thread = threading.get_ident()
        with self._lock:
            self._since_s[thread] = monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._since_s[thread]

    def begin_anew(self) -> None:
        """The call that this thread was watched for is over, and the next begins; of no meaning outside `watching`."""
        thread = threading.get_ident()
        with self._lock:
            if thread in self._since_s:
                self._since_s[thread] = monotonic()

    def _watch(self) -> None:
        while not self._lasts_too_long(timeout_s := self._timeout_s()):
            self._alive(timeout_s)
            sleep(min(timeout_s / 10, LONGEST_PAUSE_S))
        self._end(timeout_s)

    def _lasts_too_long(self, timeout_s: float) -> bool:
        with self._lock:
            return any(monotonic() - since_s > timeout_s for since_s in self._since_s.values())


def end_unless_alive(timeout_s: float) -> None:
    """Have the process end by a thread that needs no lock of Python's, unless this is called again in time."""
    faulthandler.dump_traceback_later(timeout_s + BACKSTOP_S, exit=True, file=STDERR)


def end_worker(timeout_s: float) -> NoReturn:
    """Say why, and end the process."""
    logger.critical(
        "A call of the model lasts longer than %g s; the worker ends, and what it held runs elsewhere in a moment.",
        timeout_s,
    )
    os._exit(EXIT_CODE)
