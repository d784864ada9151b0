"""Which rows to read next, and what they were before the run was interrupted. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from client.backfill.run_state import RunState, Span, SubmittedChunk


@dataclass(frozen=True)
class Leg:
    """The next rows of the input.

    Attributes:
        rows: At most so many.
        is_written: Whether they are written already: they are passed over.
        submitted: What they were sent as before; None: as nothing.
    """

    rows: int
    is_written: bool = False
    submitted: SubmittedChunk | None = None


class Course:
    """Goes through the positions of an input from where a run stands."""

    def __init__(self, position: int, islands: Iterable[Span], pending: Iterable[SubmittedChunk], end: int | None):
        """`end`: no row from here on is wanted; None: all are."""
        self.position = position
        self._end = end
        marks: list[Span | SubmittedChunk] = [*islands, *pending]
        self._marks = deque(sorted(marks, key=lambda mark: mark.first))

    @classmethod
    def of(cls, state: RunState, end: int | None) -> Course:
        """That of a run as its checkpoint has it."""
        return cls(state.position, state.islands, state.pending, end)

    def next_leg(self, most_rows: int) -> Leg | None:
        """What to read next, of new rows at most so many; None: no more rows are wanted."""
        while self._marks and self._marks[0].first < self.position:
            self._marks.popleft()
        if self._end is not None and self.position >= self._end:
            return None
        mark = self._marks[0] if self._marks else None
        if mark is None or mark.first > self.position:
            limits = [most_rows, *([mark.first - self.position] if mark else [])]
            limits += [self._end - self.position] if self._end is not None else []
            return Leg(min(limits))
        if isinstance(mark, SubmittedChunk):
            return Leg(mark.rows, submitted=mark)
        return Leg(mark.rows, is_written=True)

    def passed(self, end: int) -> None:
        """The rows before this position were read."""
        self.position = end
