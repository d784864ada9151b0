"""The rows of several jobs as one batch, and the batch's outputs as the jobs' own; pure numpy."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]


def group_of(inputs: Arrays) -> Hashable:
    """What must be equal for jobs to share a batch: each input's dtype and the shape of its rows."""
    return tuple((name, inputs[name].dtype.char, inputs[name].shape[1:]) for name in sorted(inputs))


def count_rows(inputs: Arrays, row_inputs: Collection[str]) -> int:
    """The size of axis 0 of the inputs that have rows; 1 where none has, or where they disagree or have no axis."""
    sizes = {inputs[name].shape[0] for name in row_inputs if name in inputs and inputs[name].ndim}
    return sizes.pop() if len(sizes) == 1 else 1


def join(jobs: Sequence[Arrays]) -> Arrays:
    """One job's rows below the other's. All have the same group."""
    if len(jobs) == 1:
        return jobs[0]
    return {name: np.concatenate([inputs[name] for inputs in jobs]) for name in jobs[0]}


def split(outputs: Arrays, counts: Sequence[int]) -> list[dict[str, Array]]:
    """The reverse of `join`, for outputs with a row for each row of input."""
    jobs: list[dict[str, Array]] = []
    start = 0
    for count in counts:
        jobs.append({name: array[start : start + count] for name, array in outputs.items()})
        start += count
    return jobs


def halves(counts: Sequence[int]) -> int:
    """Where to cut a list of at least two jobs so that both parts have about as many rows; from 1 to its length - 1."""
    total, seen = sum(counts), 0
    for index, count in enumerate(counts[:-1], start=1):
        seen += count
        if 2 * seen >= total:
            return index
    return len(counts) - 1
