"""How many attempts run at once to one host, so that a slow receiver holds up nobody but itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Shares:
    """Places for attempts, a limited number to each host. Safe to share between threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def place(self, host: str) -> Iterator[bool]:
        """A place for the length of the block; or none, when all of the host's are taken."""
        with self._lock:
            is_free = self._taken[host] < self._most
            self._taken[host] += is_free
        try:
            yield is_free
        finally:
            with self._lock:
                self._taken[host] -= is_free
                if not self._taken[host]:
                    del self._taken[host]
