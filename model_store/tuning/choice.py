"""Which way of running a model is the best, judged by what was measured. No TensorFlow, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from model_store.rows.batching import Batching
from model_store.tuning_spec import VARIANTS

# A simpler variant stays where another gains less than this, which is what trials differ by.
WORTH_CHANGING = 1.03
# A variant that is slower than the plain graph by more than this for some number of rows is not taken.
SLOWER = 1.10
# What compiling must gain, as each start pays for it.
WORTH_COMPILING = 1.10
# Where a compiled call takes so many times as long as the other, more rows will not turn it round.
HOPELESS = 2.0
# Beyond this, what Python's part of a call costs is much less than variants must gain.
LONG_CALL_MS = 30.0
# The numbers of rows that variants are compared with before the best size of a batch is known, and the steps between
# those that are compiled.
FIRST_ROWS = (1, 8, 32)
ROWS_STEP = 8


@dataclass(frozen=True)
class Trial:
    """What calls of a variant with so many rows take.

    Attributes:
        variant: One of `VARIANTS`.
        rows: Rows in each call.
        first_ms: The first call, with what TensorFlow prepares or XLA compiles for it.
        call_ms: The fastest of the later ones.
        difference: How far its answers are from the plain graph's, as in `model_store.tuning.tolerance`.
    """

    variant: str
    rows: int
    first_ms: float
    call_ms: float
    difference: float = 0.0


@dataclass(frozen=True)
class Choice:
    """How a model is run.

    Attributes:
        variant: One of `VARIANTS`.
        base: What runs numbers of rows that are not compiled; the variant itself unless that is "xla".
        compiled_rows: The numbers of rows that XLA compiles; none unless the variant is "xla".
    """

    variant: str = "plain"
    base: str = "plain"
    compiled_rows: tuple[int, ...] = ()

    def at(self, rows: int) -> str:
        """The variant that runs so many rows."""
        return self.variant if self.variant != "xla" or rows in self.compiled_rows else self.base


@dataclass(frozen=True)
class Tuning:
    """What was found out about a model's speed.

    Attributes:
        choice: How it is run.
        batching: How many rows are worth giving to it so.
        trials: All that was measured of the variants that were not dropped.
        dropped: Variants that were not tried, or not to the end, with the reason, which goes on from the model's name.
        faulty: Those of them that gave other answers than the plain graph.
        is_cut_short: Whether there was no time for a variant that takes little to make. XLA, which takes long, is none.
    """

    choice: Choice = Choice()
    batching: Batching = Batching()
    trials: tuple[Trial, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    faulty: tuple[str, ...] = ()
    is_cut_short: bool = False

    @property
    def warm_rows(self) -> tuple[int, ...]:
        """The numbers of rows that are to be run before the first job comes."""
        return tuple(sorted({*(self.batching.sizes or (self.batching.max_rows,)), *self.choice.compiled_rows}))

    @property
    def speedup(self) -> float:
        """How many times as fast as the plain graph it is run: the geometric mean over the numbers of rows tried."""
        plain, times = times_of(self.trials, "plain"), {name: times_of(self.trials, name) for name in VARIANTS}
        chosen = {rows: times[self.choice.at(rows)].get(rows) for rows in plain}
        return _mean(plain[rows] / chosen_ms for rows, chosen_ms in chosen.items() if chosen_ms)

    def describe(self) -> dict[str, Any]:
        """The part of a model's card, of JSON values."""
        return {
            "variant": self.choice.variant,
            "compiled_rows": list(self.choice.compiled_rows),
            "speedup": round(self.speedup, 2),
            "dropped": dict(self.dropped),
        }


def times_of(trials: Iterable[Trial], variant: str) -> dict[int, float]:
    """Milliseconds a call, by rows."""
    return {trial.rows: trial.call_ms for trial in trials if trial.variant == variant}


def pick(trials: Sequence[Trial], candidates: Sequence[str]) -> str:
    """The fastest candidate over all numbers of rows, or a simpler one that is about as fast.

    Args:
        trials: Of each candidate and of "plain".
        candidates: The simplest first; the first is taken where nothing is measured.
    """
    plain = times_of(trials, "plain")
    gains = {name: _gain(plain, times_of(trials, name)) for name in candidates}
    best = max(gains.values())
    return next(name for name in candidates if gains[name] * WORTH_CHANGING >= best)


def _gain(plain: Mapping[int, float], other: Mapping[int, float]) -> float:
    shared = [rows for rows in plain if rows in other]
    if not shared or any(other[rows] > SLOWER * plain[rows] for rows in shared):
        return 0.0
    return _mean(plain[rows] / other[rows] for rows in shared)


def _mean(ratios: Iterable[float]) -> float:
    values = list(ratios)
    return prod(values) ** (1 / len(values)) if values else 1.0


def rows_to_compile(batching: Batching) -> tuple[int, ...]:
    """The numbers of rows that XLA should be tried with: few, as each is compiled anew with each start."""
    if batching.sizes:
        sizes = batching.sizes
        return sizes if len(sizes) <= 3 else (sizes[0], sizes[len(sizes) // 2], sizes[-1])
    steps = [1]
    while steps[-1] * ROWS_STEP < batching.max_rows:
        steps.append(steps[-1] * ROWS_STEP)
    return tuple(sorted({*steps, batching.max_rows}))


def worth_compiling(base: Mapping[int, float], compiled: Mapping[int, float]) -> tuple[int, ...]:
    """The numbers of rows for which the compiled call is faster by enough; both in milliseconds by rows."""
    return tuple(rows for rows in sorted(compiled) if compiled[rows] * WORTH_COMPILING <= base[rows])


def worth_padding(max_rows: int, base: Mapping[int, float], compiled: Mapping[int, float]) -> bool:
    """Whether calls with other numbers of rows are better padded to the compiled ones than run as they are.

    That is where each compiled call takes less than the others take on average over the numbers of rows that would be
    padded to it. Their times are taken to grow evenly between those measured.
    """
    sizes = sorted(compiled)
    if not sizes or sizes[0] != 1 or sizes[-1] != max_rows:
        return False
    return all(
        compiled[size] * WORTH_COMPILING <= _mean_ms(base, below, size)
        for below, size in zip([0, *sizes], sizes, strict=False)
    )


def _mean_ms(base: Mapping[int, float], below: int, size: int) -> float:
    if size - below <= 1:
        return base[size]
    fewest_ms = base[below] + (base[size] - base[below]) / (size - below)
    return (fewest_ms + base[size]) / 2
