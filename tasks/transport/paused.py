"""Queues that are paused, as a worker knows them: it finds out by claiming, and looks again now and then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import monotonic

from tasks.transport.scripts import SourceList

#: How often a paused queue is looked at: so soon after it is resumed its messages are claimed.
LOOK_EVERY_S = 0.5


class Paused:
    """Which queues are to be left alone for now."""

    def __init__(self) -> None:
        self._until_s: dict[str, float] = {}

    def note(self, queues: Iterable[str]) -> None:
        """These are paused at this moment."""
        self._until_s |= dict.fromkeys(queues, monotonic() + LOOK_EVERY_S)

    def leave_out(self, sources: Sequence[SourceList]) -> list[SourceList]:
        """The lists without those of queues that were paused when they were last looked at, a moment ago."""
        if not self._until_s:
            return list(sources)
        now_s = monotonic()
        return [source for source in sources if self._until_s.get(source.queue, 0.0) <= now_s]
