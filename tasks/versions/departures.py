"""When a version that is served no more may be dropped, and its memory be freed."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Set
from time import monotonic
from typing import Any

#: After so long everybody who accepts jobs knows which versions are served: cards are kept for 1 s, and told anew at
#: each change and every 5 s.
KNOWN_S = 10.0
#: Freeing memory holds up all threads, for 0.2 s with TensorFlow's 400,000 objects (measured), so it waits for a moment
#: without jobs; but no longer than this.
PATIENCE_S = 60.0


class Departures:
    """Holds versions until the jobs that were accepted for them have ended.

    Args:
        oldest_age_s: the age of the model's oldest job that has not ended; None where there is none.
        is_needed: whether another worker still relies on a version of ours, so that all have one in common.
        collect: frees what dropped models leave behind.
        clock: the monotonic one.
    """

    def __init__(
        self,
        oldest_age_s: Callable[[], float | None],
        is_needed: Callable[[int], bool],
        collect: Callable[[], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._oldest_age_s = oldest_age_s
        self._is_needed = is_needed
        self._collect = collect
        self._clock = clock
        self._since_s: dict[int, float] = {}
        self._dropped: list[weakref.ref[Any]] = []
        self._gone_s: float | None = None

    def over(self, leaving: Set[int]) -> list[int]:
        """Those that may be dropped.

        Args:
            leaving: versions that no label has any more.
        """
        now_s = self._clock()
        self._since_s = {number: self._since_s.get(number, now_s) for number in leaving}
        return [number for number, since_s in self._since_s.items() if self._is_over(number, now_s - since_s)]

    def watch(self, dropped: Iterable[Any]) -> None:
        """These have been dropped; jobs in hand hold on to them until they end.

        Args:
            dropped: what is part of no circle of references, as models are: it has to go by itself.
        """
        self._dropped += [weakref.ref(served) for served in dropped]

    def free(self, is_idle: bool) -> None:
        """Free the memory of dropped models that nobody uses any more.

        Args:
            is_idle: whether no job would wait for it.
        """
        used = [served for served in self._dropped if served() is not None]
        if len(used) < len(self._dropped) and self._gone_s is None:
            self._gone_s = self._clock()
        self._dropped = used
        if self._gone_s is not None and (is_idle or self._clock() - self._gone_s >= PATIENCE_S):
            self._gone_s = None
            self._collect()

    def _is_over(self, number: int, left_s: float) -> bool:
        if left_s < KNOWN_S or self._is_needed(number):
            return False
        age_s = self._oldest_age_s()
        return age_s is None or age_s < left_s - KNOWN_S
