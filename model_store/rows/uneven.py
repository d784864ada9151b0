"""Rows of different sizes: the calls in which they go through a model, and their outputs put together again."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model_store.rows.calls import fit_together

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Part:
    """Some of a job's rows, which can be one array.

    Attributes:
        arrays: The inputs.
        rows: Which rows of the job they are, in order.
    """

    arrays: Arrays
    rows: tuple[int, ...]


def stack(rows: Sequence[Arrays], kinds: Iterable[Hashable]) -> list[Part]:
    """The parts that rows make, each of those of one kind; the first row is in the first part.

    Args:
        rows: The inputs of one row each; those of one kind have equal shapes, with rows on axis 0.
        kinds: Of each row.
    """
    groups: dict[Hashable, list[int]] = {}
    for index, kind in enumerate(kinds):
        groups.setdefault(kind, []).append(index)
    return [Part(_stacked([rows[index] for index in group]), tuple(group)) for group in groups.values()]


def _stacked(rows: Sequence[Arrays]) -> Arrays:
    if len(rows) == 1:
        return rows[0]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def put_together(
    parts: Sequence[Part], outputs: Sequence[Arrays], row_outputs: frozenset[str], fills_up: bool = False
) -> dict[str, np.ndarray] | None:
    """The outputs of all parts as if they were one call's, in the order of the job's rows.

    Args:
        parts: In any order.
        outputs: What the model gave for each.
        row_outputs: Names of the outputs with a row on axis 0 for each row of the part. Others are repeated for each.
        fills_up: Whether outputs of different sizes are made `even`.

    Returns:
        None where shapes differ in more than the number of rows.
    """
    with_rows = [_with_rows(arrays, row_outputs, len(part.rows)) for part, arrays in zip(parts, outputs, strict=True)]
    if fills_up:
        with_rows = even(with_rows)
    if not fit_together(with_rows):
        return None
    order = np.argsort([row for part in parts for row in part.rows])
    return {name: np.concatenate([arrays[name] for arrays in with_rows])[order] for name in with_rows[0]}


def _with_rows(arrays: Arrays, row_outputs: frozenset[str], rows: int) -> dict[str, np.ndarray]:
    return {
        name: array if name in row_outputs else np.repeat(array[np.newaxis], rows, axis=0)
        for name, array in arrays.items()
    }


def even(parts: Sequence[Arrays]) -> list[dict[str, np.ndarray]]:
    """The same sizes but for axis 0 in all parts: what is smaller is filled up with zeros or empty strings.

    So detectors themselves fill up lists of detections of different lengths.
    """
    largest = {name: np.max([part[name].shape[1:] for part in parts], axis=0) for name in parts[0]}
    return [{name: _filled(array, largest[name]) for name, array in part.items()} for part in parts]


def _filled(array: np.ndarray, shape: np.ndarray) -> np.ndarray:
    if array.shape[1:] == tuple(shape):
        return array
    filled = np.zeros((len(array), *map(int, shape)), array.dtype)
    filled[(slice(None), *map(slice, array.shape[1:]))] = array
    return filled
