"""What measurements come to: medians, ratios, and whether a target is reached. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Samples:
    """One figure, measured several times.

    Attributes:
        unit: what is written behind the number.
        values: in the order of measuring; at least one.
        digits: decimals that are shown.
    """

    unit: str
    values: tuple[float, ...]
    digits: int = 0

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The least."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The greatest."""
        return max(self.values)

    def __str__(self) -> str:
        middle, low, high = (f"{value:,.{self.digits}f}" for value in (self.median, self.low, self.high))
        return f"{middle} {self.unit} ({low} to {high})"

    def to_json(self) -> dict[str, Any]:
        """Median, extremes and all values."""
        return {"unit": self.unit, "median": self.median, "min": self.low, "max": self.high, "values": self.values}


@dataclass(frozen=True)
class Measure:
    """A figure with its target: exactly one of `at_least` and `at_most`."""

    name: str
    samples: Samples
    at_least: float | None = None
    at_most: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the median is on the target's right side, or the target within the measured spread."""
        if self.at_least is not None:
            return self.samples.high >= self.at_least
        return self.at_most is not None and self.samples.low <= self.at_most

    @property
    def target(self) -> str:
        """The target in words."""
        bound, limit = ("at least", self.at_least) if self.at_least is not None else ("at most", self.at_most)
        return f"{bound} {limit:g} {self.samples.unit}"

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        target = {"at_least": self.at_least} if self.at_least is not None else {"at_most": self.at_most}
        return {"name": self.name, "reached": self.reached, **target, **self.samples.to_json()}


@dataclass(frozen=True)
class RowResult:
    """One row of the table.

    Attributes:
        row: its name.
        measures: what is compared with targets; none when nothing could be compared.
        details: what else was measured, by who and by what.
        checked: what was checked of the answers.
        skipped: who could not take part, and why.
        notes: what else a reader must know.
    """

    row: str
    measures: tuple[Measure, ...]
    checked: str
    details: Mapping[str, Mapping[str, Samples]] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def reached(self) -> bool:
        """Whether every target is."""
        return bool(self.measures) and all(measure.reached for measure in self.measures)

    @property
    def figure(self) -> str:
        """All figures in words."""
        return "; ".join(f"{measure.samples}{_of(measure)}" for measure in self.measures) or "not measured"

    @property
    def target(self) -> str:
        """All targets in words."""
        return "; ".join(f"{measure.target}{_of(measure)}" for measure in self.measures) or "-"

    def to_json(self) -> dict[str, Any]:
        """The row as `latest.json` has it."""
        return {
            "row": self.row,
            "figure": self.figure,
            "target": self.target,
            "reached": self.reached,
            "measures": [measure.to_json() for measure in self.measures],
            "checked": self.checked,
            "details": {who: {what: s.to_json() for what, s in own.items()} for who, own in self.details.items()},
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
        }


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Samples:
    """Ours over theirs, pair by pair, as measured one after the other."""
    return Samples("×", tuple(a / b for a, b in zip(ours, theirs, strict=True)), digits=2)


def best_of_each(columns: Sequence[Sequence[float]]) -> list[float]:
    """The greatest of each round, over all columns."""
    return [max(values) for values in zip(*columns, strict=True)]


def wrong_answers(expected: np.ndarray[Any, Any], answers: np.ndarray[Any, Any]) -> int:
    """How many rows of answers are not the in-process model's.

    Outputs differ by about one from input to input; a batch's size changes them by about 1e-6.

    Args:
        expected: (rows, outputs), for the different inputs in turn.
        answers: (jobs, outputs); job i was given input i modulo rows.
    """
    wanted = expected[np.arange(len(answers)) % len(expected)]
    if wanted.shape != answers.shape:
        return len(answers)
    return int((~np.isclose(answers, wanted, rtol=1e-3, atol=1e-3).all(axis=1)).sum())


def second_half_growth_bytes(jobs: Sequence[float], memory_bytes: Sequence[float]) -> tuple[float, float]:
    """How much memory grew over the second half of the jobs, and how much of that may be noise.

    Growth is the slope of a line fitted to the second half, times its length. Noise is twice the standard deviation
    around that line, and at least `GROWTH_FLOOR_BYTES`.

    Args:
        jobs: how many had ended at each sample, ascending.
        memory_bytes: resident memory at each sample.

    Returns:
        Growth and noise, in bytes.
    """
    x, y = np.asarray(jobs, float), np.asarray(memory_bytes, float)
    second = x >= (x[0] + x[-1]) / 2
    x, y = x[second], y[second]
    slope, start = np.polyfit(x, y, 1)
    noise = 2 * float(np.std(y - (slope * x + start)))
    return float(slope * (x[-1] - x[0])), max(noise, GROWTH_FLOOR_BYTES)


#: Below this a growth over 90,000 jobs says nothing: 2 MiB is 23 bytes a job; allocators take more at a time.
GROWTH_FLOOR_BYTES = 2 * 1024 * 1024


def _of(measure: Measure) -> str:
    return f" {measure.name}" if measure.name else ""
