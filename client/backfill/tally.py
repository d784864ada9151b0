"""How far a run is, for people: rows done and failed, how fast, and how long it will take. No clock of its own."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

#: The rate that is shown is that of the last so many seconds.
_PACE_S = 15.0


@dataclass
class Tally:
    """The counts of one process's part of a run.

    Attributes:
        total: How many rows there are; None: unknown until the end.
        found_done: Rows in the output when this process began.
        found_failed: Rows in the error file when it began.
        began_s: When it began, by a clock that only goes forward.
        done: Rows answered since.
        failed: Rows failed since.
        queued: Jobs that wait for the model, anybody's; None: not known.
        rows_per_job: What the next job gets.
    """

    total: int | None
    found_done: int
    found_failed: int
    began_s: float
    done: int = 0
    failed: int = 0
    queued: int | None = None
    rows_per_job: int = 0
    _marks: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def settled(self) -> int:
        """Rows that are answered or failed, by whichever process."""
        return self.found_done + self.found_failed + self.done + self.failed

    def rows_per_s(self, now_s: float) -> float:
        """How fast it went lately."""
        marks = self._marks
        if not marks or now_s - marks[-1][0] >= 0.1:
            marks.append((now_s, self.done + self.failed))
        while len(marks) > 2 and now_s - marks[0][0] > _PACE_S:
            marks.popleft()
        began_s, rows = marks[0] if len(marks) > 1 else (self.began_s, 0)
        return (self.done + self.failed - rows) / max(now_s - began_s, 1e-3)

    def left_s(self, now_s: float) -> float | None:
        """How long it will take at that rate; None where nobody can tell."""
        rate = self.rows_per_s(now_s)
        return None if self.total is None or rate <= 0 else max(0, self.total - self.settled) / rate
