"""Plain Python values as arrays of the dtype that a model's signature asks for.

No fraction is rounded to a whole number, and no number cut to fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from client.errors import InputError
from client.npy import Array, pack_strings

STRING = "string"


@dataclass(frozen=True)
class TensorFit:
    """What one input of a model takes.

    Attributes:
        name: The input's name.
        dtype: numpy's name of it, or "string".
        shape: Sizes, None where any fits; None as a whole where even their number is open.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


def fits_of(signature: Mapping[str, Any]) -> dict[str, TensorFit]:
    """What each input takes, from a signature as `GET /v1/models/{model}` tells it."""
    return {
        name: TensorFit(name, spec["dtype"], None if spec["shape"] is None else tuple(spec["shape"]))
        for name, spec in signature["inputs"].items()
    }


def as_array(value: Any, fit: TensorFit | None) -> Array:
    """A value, or nested lists of values, as an array; one row alone gets its axis 0.

    Raises:
        InputError: The lists are uneven, or the values do not fit the dtype.
    """
    row = as_row(value, fit)
    return row[np.newaxis] if fit and fit.shape is not None and row.ndim == len(fit.shape) - 1 else row


def as_row(value: Any, fit: TensorFit | None) -> Array:
    """As `as_array`, without an axis that the value does not have.

    Raises:
        InputError: As for `as_array`.
    """
    field = f"inputs.{fit.name}" if fit else "inputs"
    try:
        # Of objects, so that text loses no zero characters, and numbers among texts become none.
        is_text = _holds_strings(value) or (fit is not None and fit.dtype == STRING)
        array = np.array(value, dtype=object) if is_text else np.array(value)
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{field}: expected numbers or texts in lists of even lengths; got others.") from None
    array = pack_strings(array) if array.dtype.hasobject else array
    return _cast(array, fit.dtype, field) if fit else array


def _cast(array: Array, dtype: str, field: str) -> Array:
    if dtype == STRING:
        if array.dtype.kind in "SUV":
            return array
        raise InputError(f"{field}: expected texts; got {array.dtype.name} values.")
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise InputError(f"{field}: {dtype} is none of numpy's; give an array that the model takes.") from None
    if _may_become(array.dtype, wanted):
        with np.errstate(all="ignore"):
            cast = array.astype(wanted)
        if _says_the_same(cast, array):
            return cast
    raise InputError(f"{field}: expected values that {dtype} can hold; got others, of {array.dtype.name}.")


def _may_become(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    ranks = "biufc"
    known = given.kind in ranks and wanted.kind in ranks
    if not known or (given.kind == "b") != (wanted.kind == "b"):
        return False
    return ranks.index(wanted.kind) >= ranks.index(given.kind) or (wanted.kind in "iu" and given.kind in "iu")


def _says_the_same(cast: Array, array: Array) -> bool:
    if cast.dtype.kind in "iu":
        return np.array_equal(cast, array)
    return cast.dtype.kind == "b" or np.array_equal(np.isfinite(cast), np.isfinite(array))


def _holds_strings(value: Any) -> bool:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, str | bytes)
