"""Clients that go on until they are told to stop: one thread each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


class Crowd:
    """Threads that submit jobs.

    Attributes:
        over: set when nothing more is to be begun.
        given_up: set when nobody is to ask again any more.

    Args:
        works: what each of them does until `over`.
    """

    def __init__(self, works: Sequence[Callable[[], None]]) -> None:
        self.over, self.given_up = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Have everybody end what he has in hand, and begin nothing more."""
        self.over.set()

    def has_stopped(self) -> bool:
        """Whether everybody has."""
        return not any(thread.is_alive() for thread in self._threads)

    def give_up(self) -> None:
        """Have nobody ask again any more."""
        self.given_up.set()
