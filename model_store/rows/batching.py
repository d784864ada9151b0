"""How many rows a model takes at once, and into which calls they are divided. No TensorFlow, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_store.spec import BatchingSpec

# Beyond this even the smallest models gain nothing that a job's way through the queue would not hide.
MOST_ROWS = 512
# A batch that gets this share of the most rows a second is as good, and answers sooner than a larger one.
GOOD_SHARE = 0.95
# What a batch costs beside its call, in claiming jobs and storing results: round trips to the broker.
BATCH_OVERHEAD_MS = 1.0
# Rows of any size may always share a call up to here: this is no load for any machine.
SMALL_BATCH_BYTES = 4_194_304
# A batch that takes longer keeps whoever comes next waiting for more than its rows a second are worth.
LONGEST_CALL_MS = 250.0
# Where rows a second have not grown by this much for this many doublings, they will not.
GROWTH = 1.02
FLAT_DOUBLINGS = 2
# Padding computes up to twice the rows for ever; a first call must cost this much more than the second to be worth it.
FIRST_CALL_RATIO = 3.0
FIRST_CALL_EXTRA_MS = 20.0


@dataclass(frozen=True)
class Batching:
    """What is worth giving to a model at once.

    Attributes:
        max_rows: Most rows of several jobs worth giving to one `predict`.
        max_wait_ms: How long a batch that is not full waits for more rows.
        sizes: Row counts, ascending, that calls are padded up to; empty where calls are not padded.
        max_bytes: Most bytes of inputs worth giving to one `predict`, for models whose rows can be of any size;
            None where rows alone decide.
    """

    max_rows: int = 1
    max_wait_ms: float = 0.0
    sizes: tuple[int, ...] = ()
    max_bytes: int | None = None

    def call_rows(self, row_bytes: float) -> int:
        """Most rows of this size in one call of the model's program; more are several calls."""
        rows = self.sizes[-1] if self.sizes else self.max_rows
        if self.max_bytes is None or rows * row_bytes <= self.max_bytes:
            return rows
        return max(1, int(self.max_bytes // row_bytes))

    def is_one_call(self, rows: int) -> bool:
        """Whether so many rows, of whatever size, are one call and not padded; False where their size must be seen."""
        if self.max_bytes is not None:
            return False
        return rows in self.sizes if self.sizes else rows <= self.max_rows

    def padded(self, rows: int) -> int:
        """The rows that the model computes where `rows` are asked for.

        These are the next size, or for more rows than the largest size has, as many whole calls of that size as fit
        and the next size for the rest. Without sizes they are the rows themselves.
        """
        if not self.sizes:
            return rows
        calls, rest = divmod(rows, self.sizes[-1])
        return calls * self.sizes[-1] + (next(size for size in self.sizes if size >= rest) if rest else 0)

    def to_json(self) -> dict[str, Any]:
        """As JSON values, under the names that model.toml has for them."""
        return {"max_batch_size": self.max_rows, "max_batch_wait_ms": self.max_wait_ms, "sizes": list(self.sizes)}


def limited_by_bytes(batching: Batching, trial_row_bytes: int) -> Batching:
    """For a model whose rows can be of any size: rows that are larger than those it was tried with are fewer at once.

    Its time and memory grow with the size, so the trial speaks for as many bytes, not for as many rows.
    """
    return replace(batching, max_bytes=max(batching.max_rows * trial_row_bytes, SMALL_BATCH_BYTES))


def at_most(batching: Batching, max_rows: int) -> Batching:
    """The same with batches of no more rows than these, and calls of no more where the model takes fewer."""
    sizes = tuple(size for size in batching.sizes if size <= max_rows) or batching.sizes[:1]
    return replace(batching, max_rows=min(batching.max_rows, max_rows), sizes=sizes)


@dataclass(frozen=True)
class Timing:
    """What calls of so many rows take.

    Attributes:
        rows: Rows in each call.
        first_ms: The first call with this number of rows.
        best_ms: The fastest of the later ones, which other processes disturbed least.
    """

    rows: int
    first_ms: float
    best_ms: float

    @property
    def rows_per_ms(self) -> float:
        """Rows a millisecond, with what a batch costs beside its call."""
        return self.rows / (self.best_ms + BATCH_OVERHEAD_MS)


def good_rows(timings: Sequence[Timing]) -> int:
    """The smallest number of rows that is about as good as the best; 1 where nothing was timed."""
    if not timings:
        return 1
    wanted = GOOD_SHARE * max(timing.rows_per_ms for timing in timings)
    return min(timing.rows for timing in timings if timing.rows_per_ms >= wanted)


def may_gain(timings: Sequence[Timing]) -> bool:
    """Whether more rows than those timed so far, each twice as many as the ones before, may be better still."""
    if timings and timings[-1].best_ms > LONGEST_CALL_MS:
        return False
    if len(timings) <= FLAT_DOUBLINGS:
        return True
    before, latest = timings[:-FLAT_DOUBLINGS], timings[-FLAT_DOUBLINGS:]
    best_before = max(timing.rows_per_ms for timing in before)
    return any(timing.rows_per_ms >= GROWTH * best_before for timing in latest)


def needs_padding(timings: Sequence[Timing]) -> bool:
    """Whether calls with numbers of rows that were not seen before cost much more the first time.

    TensorFlow compiles anew for each number of rows where a model asks for XLA, and a GPU's libraries look for
    their fastest kernels anew. All the timings must show it, since other processes can slow down any one call.
    """
    return bool(timings) and all(
        timing.first_ms >= FIRST_CALL_RATIO * timing.best_ms and timing.first_ms - timing.best_ms >= FIRST_CALL_EXTRA_MS
        for timing in timings
    )


def fixed_batching(spec: BatchingSpec, fixed_rows: int, call_ms: float) -> Batching:
    """For a model whose calls all have the same number of rows: how many calls make a batch.

    Args:
        spec: What model.toml says.
        fixed_rows: Rows of each call.
        call_ms: What one takes.
    """
    calls = doubling_sizes(max(1, MOST_ROWS // fixed_rows))
    timings = [Timing(count * fixed_rows, count * call_ms, count * call_ms) for count in calls]
    return Batching(spec.max_batch_size or good_rows(timings), spec.max_batch_wait_ms, (fixed_rows,))


def doubling_sizes(max_rows: int) -> tuple[int, ...]:
    """1, 2, 4 and so on below `max_rows`, and `max_rows`."""
    powers = (2**exponent for exponent in range(max_rows.bit_length()))
    return (*(power for power in powers if power < max_rows), max_rows)
