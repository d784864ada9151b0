"""How many attempts run at once to one host, so that a slow receiver holds up nobody but itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

#: Who finds no place comes back after this time at the earliest and at the latest.
LEAST_PAUSE_S, MOST_PAUSE_S = 2.0, 900.0

#: How long an attempt takes, before one to the host is over.
_FIRST_GUESS_S = 1.0


class Shares:
    """Places for attempts, a limited number to each host. Safe to share between threads.

    Args:
        most: places that a host has.
        now_s: the time, in s from any moment.
    """

    def __init__(self, most: int, now_s: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._now_s = now_s
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        #: How long the latest attempt took, and until when those that were put off have their times; of the hosts that
        #: have places taken or callbacks put off.
        self._took_s: dict[str, float] = {}
        self._put_off_until_s: dict[str, float] = {}

    @contextmanager
    def place(self, host: str) -> Iterator[bool]:
        """A place for the length of the block; or none, when all of the host's are taken."""
        with self._lock:
            is_free = self._taken[host] < self._most
            self._taken[host] += is_free
        began_s = self._now_s()
        try:
            yield is_free
        finally:
            with self._lock:
                self._leave(host, is_free, began_s)

    def pause_s(self, host: str) -> float:
        """In how many s to come back who has found no place: one after the other, as fast as places become free.

        Of a long line that came back together most would find no place again, and cost others a thread's time.
        """
        with self._lock:
            now_s = self._now_s()
            step_s = self._took_s.get(host, _FIRST_GUESS_S) / max(self._most, 1)
            at_s = max(now_s + LEAST_PAUSE_S, self._put_off_until_s.get(host, 0.0) + step_s)
            self._put_off_until_s[host] = min(at_s, now_s + MOST_PAUSE_S)
            return self._put_off_until_s[host] - now_s

    def _leave(self, host: str, had_place: bool, began_s: float) -> None:
        now_s = self._now_s()
        if had_place:
            self._taken[host] -= 1
            self._took_s[host] = now_s - began_s
        if not self._taken[host] and self._put_off_until_s.get(host, 0.0) <= now_s:
            del self._taken[host]
            self._took_s.pop(host, None)
            self._put_off_until_s.pop(host, None)
