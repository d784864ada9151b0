"""How many rows a job gets: more and more, as long as that makes the whole faster and keeps nobody waiting. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

#: A job larger than the model's batches is computed alone, and meanwhile nobody else's: no longer than so, in ms.
HOLD_MS = 50.0

#: The first jobs are small, so that a wrong guess costs little, and grow fast.
FIRST_ROWS = 32
GROWTH = 4

#: A larger size has to be better by so much, or the smaller one is kept.
GAIN = 1.1

#: What is measured: jobs of one size, from the end of the first to the end of the last.
STAGE_JOBS = 5
STAGE_S = 0.15

#: After so many jobs the next larger size is tried once more: the machine may have been busy with something else.
SETTLED_JOBS = 100


@dataclass(frozen=True)
class Bounds:
    """What limits a job.

    Attributes:
        most_rows: What the server takes in one job, or the client holds.
        batch_rows: What the model computes at once: jobs up to this size share a call and hold nobody up.
    """

    most_rows: int
    batch_rows: int


class Tuner:
    """Chooses the rows of the next job by how fast those before it were.

    Attributes:
        rows: What the next job should have.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.rows = max(1, min(FIRST_ROWS, bounds.most_rows, bounds.batch_rows))
        self._batch_rows = bounds.batch_rows
        self._most_rows = bounds.most_rows
        self._best_rate = 0.0
        self._smaller_rows = self.rows
        self._is_growing = True
        #: Of the stage: jobs after those that were heard of first, the shortest computation, and from when to when.
        self._jobs = 0
        self._compute_ms = self._began_s = self._last_s = inf

    def ended(self, rows: int, compute_ms: float, now_s: float) -> None:
        """A job of so many rows has ended well.

        Args:
            rows: Its rows.
            compute_ms: How long the model computed the batch that it was in.
            now_s: By a clock that only goes forward.
        """
        if self._jobs >= (STAGE_JOBS if self._is_growing else SETTLED_JOBS) and now_s > self._last_s:
            # Jobs are heard of several at once: all of those that count have been heard of now.
            duration_s = self._last_s - self._began_s
            if duration_s >= STAGE_S:
                self._judge(self._jobs * self.rows / duration_s)
        if rows != self.rows:
            return
        # The shortest: the first call of a size is slow in TensorFlow, and a busy machine slows down single ones.
        self._compute_ms = min(self._compute_ms, compute_ms)
        self._began_s = min(self._began_s, now_s)
        self._last_s = now_s
        self._jobs += now_s > self._began_s

    def too_large(self, rows: int) -> None:
        """A job of so many rows was refused for its size. Perhaps for one row's: more are tried again later."""
        if self.rows > rows // 2:
            self._settle(max(1, rows // 2))

    def _judge(self, rate: float) -> None:
        allowed = self._allowed()
        if self.rows > allowed:
            self._settle(allowed)
        elif self._is_growing and rate < self._best_rate * GAIN:
            self._settle(self._smaller_rows)
        else:
            self._best_rate = rate
            self._grow(min(self.rows * GROWTH, allowed))

    def _grow(self, rows: int) -> None:
        self._smaller_rows, self.rows = self.rows, rows
        self._is_growing = self.rows > self._smaller_rows
        self._begin_stage()

    def _allowed(self) -> int:
        """The most rows that keep nobody waiting for long."""
        held_rows = self.rows if self._compute_ms <= 0 else int(self.rows * HOLD_MS / self._compute_ms)
        return min(self._most_rows, max(self._batch_rows, held_rows))

    def _settle(self, rows: int) -> None:
        self.rows = rows
        self._is_growing = False
        self._begin_stage()

    def _begin_stage(self) -> None:
        self._jobs = 0
        self._began_s = self._last_s = self._compute_ms = inf
