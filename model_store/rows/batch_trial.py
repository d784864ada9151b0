"""Times calls of a model with more and more rows. No TensorFlow: the model comes as a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from time import perf_counter

from model_store.errors import PredictError
from model_store.rows.batching import (
    LONGEST_CALL_MS,
    MOST_ROWS,
    Batching,
    Timing,
    doubling_sizes,
    good_rows,
    may_gain,
    needs_padding,
)
from model_store.spec import BatchingSpec

# Makes the inputs of so many rows, and gives the call on them.
Prepare = Callable[[int], Callable[[], object]]

SEARCH_S = 3.0
# Each size is timed again after all others, so that a busy moment of the machine does not decide.
PASSES = 3
CALLS = 2
# Short calls are repeated for this long, as they vary most.
SAMPLE_MS = 4.0
# For sizes that model.toml names, which are all wanted warm.
WARM_SIZES_S = 20.0


def find_batching(spec: BatchingSpec, prepare: Prepare, search_s: float = SEARCH_S) -> Batching:
    """How many rows should share a call of a model that takes any number: as model.toml says, else as measured."""
    wanted = spec.max_batch_size or (spec.sizes[-1] if spec.sizes else None)
    max_rows = wanted or good_rows(time_doubled_rows(prepare, search_s))
    if max_rows > 1:
        warm_rows(prepare, spec.sizes or (max_rows,))
    sizes = spec.sizes
    if sizes is None:
        sizes = doubling_sizes(max_rows) if needs_padding(_time_unseen_rows(prepare, max_rows)) else ()
        warm_rows(prepare, sizes)
    return Batching(max_rows, spec.max_batch_wait_ms, sizes)


def _time_unseen_rows(prepare: Prepare, max_rows: int) -> list[Timing]:
    """Timings of one or two sizes below the largest that no doubling meets; none where there is no such size."""
    sizes = {max_rows - 1, max_rows // 2 + 1} - {0, *doubling_sizes(max_rows)}
    timings = [time_rows(prepare, rows) for rows in sorted(sizes)]
    return [timing for timing in timings if timing is not None]


def time_doubled_rows(prepare: Prepare, search_s: float = SEARCH_S) -> list[Timing]:
    """Time calls of 1, 2, 4 … rows, until more rows bring nothing, take too long, or fail; for about `search_s`.

    Returns:
        A timing for each size that ran; sizes beyond the memory of the device or the process are left out.
    """
    began_s = perf_counter()
    timings: list[Timing] = []
    rows = 1
    while rows <= MOST_ROWS and _since_s(began_s) < search_s and may_gain(timings):
        timing = time_rows(prepare, rows)
        if timing is None:
            break
        timings.append(timing)
        rows *= 2
    for _ in range(PASSES - 1):
        timings = [_time_again(prepare, timing) if _since_s(began_s) < search_s else timing for timing in timings]
    return timings


def time_rows(prepare: Prepare, rows: int) -> Timing | None:
    """Time calls of so many rows, the first one apart; None where the memory does not suffice or the model fails."""
    try:
        call = prepare(rows)
        return Timing(rows, _call_ms(call), best_ms(call))
    except (PredictError, MemoryError):
        return None


def warm_rows(prepare: Prepare, sizes: Iterable[int]) -> None:
    """Run each size once, as far as time and memory suffice."""
    began_s = perf_counter()
    for rows in sizes:
        if _since_s(began_s) > WARM_SIZES_S:
            return
        try:
            prepare(rows)()
        except (PredictError, MemoryError):
            return


def _time_again(prepare: Prepare, timing: Timing) -> Timing:
    try:
        return replace(timing, best_ms=min(timing.best_ms, best_ms(prepare(timing.rows))))
    except (PredictError, MemoryError):
        return timing


def best_ms(call: Callable[[], object]) -> float:
    """The fastest of a few calls, in milliseconds; of one where it takes long."""
    began_s = perf_counter()
    fastest_ms = _call_ms(call)
    calls = 1
    while calls < CALLS or _since_s(began_s) * 1000 < SAMPLE_MS:
        if fastest_ms > LONGEST_CALL_MS:
            break
        fastest_ms = min(fastest_ms, _call_ms(call))
        calls += 1
    return fastest_ms


def _call_ms(call: Callable[[], object]) -> float:
    began_s = perf_counter()
    call()
    return _since_s(began_s) * 1000


def _since_s(began_s: float) -> float:
    return perf_counter() - began_s
