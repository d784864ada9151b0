"""Times variants of a model in turn, and compares their answers. No TensorFlow: they come as functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np

from model_store.errors import PredictError
from model_store.rows.batch_trial import best_ms
from model_store.tuning.choice import Trial
from model_store.tuning.tolerance import compare

Arrays = Mapping[str, np.ndarray]
Call = Callable[[], Arrays]
# Makes the inputs of so many rows, and gives the call on them.
Prepare = Callable[[int], Call]

# In turn, so that a busy moment of the machine falls on all of them.
PASSES = 5
# First call, second call of the plain graph, one pass: what a number of rows costs at least, in calls.
FEWEST_CALLS = 3


@dataclass
class Compared:
    """What came of comparing.

    Attributes:
        trials: By variant; "plain" is missing where the plain graph itself failed or is no measure for others.
        faults: Why variants are out, in words that follow the model's name.
        differing: Those of them that gave other answers.
    """

    trials: dict[str, Trial] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)


def compare_at(rows: int, variants: Mapping[str, Prepare], left_s: Callable[[], float]) -> Compared:
    """Compare variants with the plain graph, and time those that give its answers.

    Args:
        rows: Rows in each call.
        variants: By name, "plain" among them.
        left_s: The time that is left; each variant is timed once at least.
    """
    compared = Compared()
    try:
        call = variants["plain"](rows)
        expected, first_ms = _timed(call)
        again, call_ms = _timed(call)
    except (PredictError, MemoryError) as error:
        compared.faults["plain"] = f"cannot run {rows} rows: {error}"
        return compared
    if compare(expected, again).fault:
        compared.faults = dict.fromkeys(variants, "gives other answers each time, so that nothing can be compared")
        return compared
    compared.trials["plain"] = Trial("plain", rows, first_ms, call_ms)
    calls = {"plain": call}
    for name, prepare in variants.items():
        if name != "plain" and (other := _admitted(compared, name, rows, prepare, expected)):
            calls[name] = other
    _time_in_turn(compared, calls, left_s)
    return compared


def _admitted(compared: Compared, name: str, rows: int, prepare: Prepare, expected: Arrays) -> Call | None:
    try:
        call = prepare(rows)
        outputs, first_ms = _timed(call)
    except (PredictError, MemoryError) as error:
        compared.faults[name] = f"cannot be run so: {error}"
        return None
    comparison = compare(expected, outputs)
    if comparison.fault is not None:
        compared.faults[name] = f"{comparison.fault}, for {rows} rows"
        compared.differing.append(name)
        return None
    compared.trials[name] = Trial(name, rows, first_ms, first_ms, comparison.difference)
    return call


def _time_in_turn(compared: Compared, calls: Mapping[str, Call], left_s: Callable[[], float]) -> None:
    for _ in range(PASSES):
        for name, call in calls.items():
            trial = compared.trials[name]
            compared.trials[name] = replace(trial, call_ms=min(trial.call_ms, best_ms(call)))
        if left_s() <= 0:
            return


def _timed(call: Call) -> tuple[Arrays, float]:
    began_s = perf_counter()
    outputs = call()
    return outputs, (perf_counter() - began_s) * 1000
