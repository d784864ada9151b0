"""What was found out about a model's speed, as lines for people and as JSON for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from model_store.tuning.choice import Trial, Tuning

_COLUMNS = ("variant", "rows", "ms a call", "rows/s", "first call, ms", "difference", "")


def table(tuning: Tuning) -> list[str]:
    """A line for each trial, under a heading; what runs that number of rows is marked."""
    rows = [_cells(trial, _is_chosen(tuning, trial)) for trial in tuning.trials]
    widths = [max(len(row[column]) for row in (_COLUMNS, *rows)) for column in range(len(_COLUMNS))]
    # Names to the left, numbers to the right.
    line = "  ".join(f"{{:{'<' if column in (0, 6) else '>'}{width}}}" for column, width in enumerate(widths))
    return [line.format(*row).rstrip() for row in (_COLUMNS, *rows)]


def summary(name: str, tuning: Tuning) -> list[str]:
    """Why variants were left out, a line each, and what was chosen."""
    dropped = [f"{variant}: {name} {reason}." for variant, reason in tuning.dropped.items()]
    sizes = f", padded to {_listed(tuning.batching.sizes)}" if tuning.batching.sizes else ""
    chosen = f"Chosen: {chosen_way(tuning)}; batches of up to {tuning.batching.max_rows} rows{sizes}."
    return [*dropped, chosen]


def chosen_way(tuning: Tuning) -> str:
    """How a model is run: `folded, 2.10 times as fast as the plain graph`."""
    rows = _listed(tuning.choice.compiled_rows)
    compiled = f" for {rows} rows, {tuning.choice.base} for others" if rows else ""
    return f"{tuning.choice.variant}{compiled}, {tuning.speedup:.2f} times as fast as the plain graph"


def trials_json(tuning: Tuning) -> list[dict[str, Any]]:
    """Each trial, with its rows a second and whether it was chosen for that number of rows."""
    return [
        {**asdict(trial), "rows_per_s": _rows_per_s(trial), "chosen": _is_chosen(tuning, trial)}
        for trial in tuning.trials
    ]


def _cells(trial: Trial, is_chosen: bool) -> tuple[str, ...]:
    return (
        trial.variant,
        str(trial.rows),
        f"{trial.call_ms:.3f}",
        f"{_rows_per_s(trial):,.0f}",
        f"{trial.first_ms:,.0f}",
        f"{trial.difference:.1g}",
        "chosen" if is_chosen else "",
    )


def _rows_per_s(trial: Trial) -> float:
    return trial.rows / trial.call_ms * 1000


def _is_chosen(tuning: Tuning, trial: Trial) -> bool:
    return tuning.choice.at(trial.rows) == trial.variant


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
