"""Inputs on which variants of a model are compared: rows that differ in size as well as in value."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model_store.trial_inputs import varied_rows

Arrays = Mapping[str, np.ndarray]

# What the floats of one row after another are multiplied with: scaled inputs, centred ones, and pixels.
SCALES = (1.0, -1.0, 0.1, 255.0, 4.0)
COMPARED_ROWS = 10


def compared_rows(inputs: Arrays, row_inputs: frozenset[str], rows: int) -> Arrays:
    """So many rows like those given; of a model without rows all its inputs vary.

    Args:
        inputs: What the model runs on.
        row_inputs: Names of those whose axis 0 counts rows.
        rows: How many rows to make.
    """
    if row_inputs:
        varied = varied_rows(inputs, row_inputs, rows)
        return {name: _scaled(array) if name in row_inputs else array for name, array in varied.items()}
    return {name: _all_varied(array) for name, array in inputs.items()}


def _all_varied(array: np.ndarray) -> np.ndarray:
    flat = {"": array.reshape(-1)}
    return varied_rows(flat, frozenset(flat), array.size)[""].reshape(array.shape)


def _scaled(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fc":
        return array
    scales = np.resize(SCALES, len(array)).astype(array.dtype)
    scaled: np.ndarray = array * scales.reshape(-1, *[1] * (array.ndim - 1))
    return scaled
