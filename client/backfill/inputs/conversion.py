"""Arrays of a file -> arrays of the model's dtype and shape; a value that would change is refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from client.backfill.fit import RowSpec, shape_text
from client.backfill.inputs.decoding import Refused
from client.backfill.inputs.strings import pack_strings
from client.npy import Array
from client.tensor_fit import STRING


def fit_rows(array: Array, spec: RowSpec, where: str, round_floats: bool = False) -> Array:
    """Rows as the model takes them.

    A flat row becomes the model's shape where that has as many values. Numbers become another dtype as long as it
    holds each of them exactly: 3.0 is an integer, 2.5 is none.

    Args:
        array: Rows on axis 0.
        spec: What the model takes.
        where: The column or member, for the sentence.
        round_floats: Round to a narrower float, such as float64 to float32.

    Raises:
        Refused: The dtype, the shape or a value does not fit; the sentence names column, expected and found.
    """
    shaped = _reshape(array, spec, where)
    if spec.dtype == STRING:
        if array.dtype.kind not in "USO":
            raise mismatch(where, spec, array)
        return pack_strings(shaped, where)
    return _cast(shaped, spec, where, round_floats)


def mismatch(where: str, spec: RowSpec, array: Array) -> Refused:
    """The refusal of an array whose dtype or shape is another one."""
    found = STRING if array.dtype.kind in "USO" else array.dtype.name
    shape = shape_text(array.shape[1:]) if array.ndim > 1 else "()"
    return Refused(f"{where}: expected {spec} in each row, found {found} of shape {shape}.")


def _reshape(array: Array, spec: RowSpec, where: str) -> Array:
    row_shape = array.shape[1:]
    if spec.takes(row_shape):
        return array
    if len(row_shape) > 1 or spec.shape is None or spec.size != int(np.prod(row_shape)):
        raise mismatch(where, spec, array)
    return array.reshape((len(array), *(size for size in spec.shape if size is not None)))


def _cast(array: Array, spec: RowSpec, where: str, round_floats: bool) -> Array:
    dtype = np.dtype(spec.dtype)
    if np.can_cast(array.dtype, dtype, "safe"):
        return np.ascontiguousarray(array, dtype)
    if array.dtype.kind not in "iuf" or dtype.kind not in "iuf":
        raise mismatch(where, spec, array)
    with np.errstate(all="ignore"):
        cast = array.astype(dtype)
        fits = _fits(array, cast, round_floats)
    if not fits.all():
        value = array[~fits].flat[0].item()
        raise Refused(f"{where}: expected {spec} in each row, found the {array.dtype.name} {value}{_why(dtype)}.")
    return np.ascontiguousarray(cast)


def _why(dtype: np.dtype[np.generic]) -> str:
    hint = "; round it beforehand, or allow it with --round-floats" if dtype.kind == "f" else ""
    return f", which {dtype.name} does not hold exactly{hint}"


def _fits(array: Array, cast: Array, round_floats: bool) -> Array:
    """Which values are the same, or as near as a narrower float comes, where that is allowed."""
    fits: Array
    if array.dtype.kind == "f" and cast.dtype.kind == "f":
        fits = (np.isfinite(cast) | ~np.isfinite(array)) if round_floats else (cast == array) | np.isnan(array)
    elif cast.dtype.kind == "f":
        fits = _holds(cast, array.dtype) & (cast.astype(array.dtype) == array)
    else:
        fits = _holds(array, cast.dtype) & (cast == array)
    return fits


def _holds(array: Array, dtype: np.dtype[Any]) -> Array:
    """Which numbers lie in the range of an integer dtype."""
    limits = np.iinfo(dtype)
    within: Array
    if array.dtype.kind == "f":
        # The highest integer itself may be no float; the power of two above it is one.
        within = (array >= float(limits.min)) & (array < float(limits.max // 2 + 1) * 2)
    else:
        within = (array >= limits.min) & (array <= limits.max)
    return within
