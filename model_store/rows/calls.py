"""Divides rows into the calls that a model takes, and joins their outputs again. Arrays only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from model_store.byte_strings import concatenate
from model_store.rows.batching import Batching

Arrays = Mapping[str, np.ndarray]


def divide(inputs: Arrays, row_inputs: frozenset[str], rows: int, batching: Batching) -> Iterator[tuple[int, Arrays]]:
    """The inputs of each call, and how many rows they have.

    All calls but the last are full. The last is padded by repeating its own rows, as rows that were made up could
    send a model where no real row does.
    """
    arrays = inputs.items()
    step = batching.call_rows(sum(array.nbytes for array in inputs.values()) / rows)
    for start in range(0, rows, step):
        count = min(step, rows - start)
        padded = batching.padded(count)
        call = {name: _rows(array, start, count, padded) if name in row_inputs else array for name, array in arrays}
        yield padded, call


def _rows(array: np.ndarray, start: int, count: int, padded: int) -> np.ndarray:
    if padded == count:
        return array[start : start + count]
    return array[start + np.arange(padded) % count]


def fit_together(parts: Sequence[Arrays]) -> bool:
    """Whether each output has the same shape in all parts, but for its rows."""
    return all(part[name].shape[1:] == array.shape[1:] for part in parts for name, array in parts[0].items())


def join(parts: Sequence[Arrays], rows: int) -> dict[str, np.ndarray]:
    """One array for each output, with the rows of all parts, cut to those that were asked for."""
    if len(parts) == 1:
        return {name: array[:rows] for name, array in parts[0].items()}
    return {name: concatenate([part[name] for part in parts])[:rows] for name in parts[0]}
