"""The rows of several jobs as one batch, and the batch's outputs as the jobs' own; pure numpy."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from model_store.byte_strings import as_text, concatenate

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]

#: Strings of up to this many bytes are joined whatever their lengths. numpy gives all of an array the widest's length.
SHORT_BYTES = 4096


def group_of(inputs: Arrays, kind: Hashable = None) -> Hashable:
    """What must be equal for jobs to share a batch: each input's dtype and the shape of its rows.

    None for inputs with different numbers of rows: joined with others they might pass for a whole batch.

    Args:
        inputs: a job's.
        kind: what else must be equal, that arrays do not show.
    """
    rows = {array.shape[0] if array.ndim else 0 for array in inputs.values()}
    if len(rows) != 1 or 0 in rows:
        return None
    return (kind, *((name, *_kind(inputs[name].dtype), inputs[name].shape[1:]) for name in sorted(inputs)))


def _kind(dtype: np.dtype[Any]) -> tuple[str, int]:
    """The type, and for long strings about how long."""
    return dtype.char, (dtype.itemsize // SHORT_BYTES).bit_length() if dtype.kind in "SU" else 0


def count_rows(inputs: Arrays, row_inputs: Collection[str]) -> int:
    """The size of axis 0 of the inputs that have rows; 1 where none has, or where they disagree or have no axis."""
    sizes = {inputs[name].shape[0] for name in row_inputs if name in inputs and inputs[name].ndim}
    return sizes.pop() if len(sizes) == 1 else 1


def row_bytes(inputs: Arrays, rows: int) -> float:
    """Bytes of a row in all inputs."""
    return sum(array.nbytes for array in inputs.values()) / rows


def join(jobs: Sequence[Arrays]) -> Arrays:
    """One job's rows below the other's. All have the same group."""
    if len(jobs) == 1:
        return jobs[0]
    return {name: concatenate([inputs[name] for inputs in jobs]) for name in jobs[0]}


def split(outputs: Arrays, counts: Sequence[int]) -> list[dict[str, Array]]:
    """The reverse of `join`, for outputs with a row for each row of input."""
    jobs: list[dict[str, Array]] = []
    start = 0
    for count in counts:
        jobs.append({name: _narrow(array[start : start + count]) for name, array in outputs.items()})
        start += count
    return jobs


def _narrow(array: Array) -> Array:
    """Strings no wider than they are, and text where they are: a neighbour's may have been wider, or none."""
    if array.dtype.kind == "O":
        return as_text(array)
    if array.dtype.kind != "U":
        return array
    return array.astype(f"U{np.strings.str_len(array).max(initial=1)}")


def halves(counts: Sequence[int]) -> int:
    """Where to cut a list of at least two jobs so that both parts have about as many rows; from 1 to its length - 1."""
    total, seen = sum(counts), 0
    for index, count in enumerate(counts[:-1], start=1):
        seen += count
        if 2 * seen >= total:
            return index
    return len(counts) - 1
