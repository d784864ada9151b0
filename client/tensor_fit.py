"""Plain Python values as arrays of the dtype that a model's signature asks for. Nothing is rounded or cut to fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from client.errors import InputError
from client.npy import Array, pack_strings


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
    field = f"inputs.{fit.name}" if fit else "inputs"
    try:
        # Of objects, so that neither text loses zero characters nor whole numbers become floats.
        array = np.array(value, dtype=object) if _holds_strings(value) else np.array(value)
        array = pack_strings(array) if array.dtype.hasobject else array
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{field}: expected numbers or texts in lists of even lengths; got others.") from None
    if fit is None:
        return array
    return _with_rows(_cast(array, fit, field), fit)


def _cast(array: Array, fit: TensorFit, field: str) -> Array:
    if fit.dtype == "string":
        if array.dtype.kind in "SUV":
            return array
        raise InputError(f"{field}: expected texts; got {array.dtype.name} values.")
    wanted = np.dtype(fit.dtype)
    cast = array.astype(wanted) if _may_become(array.dtype, wanted) else None
    if cast is None or (wanted.kind in "iu" and not np.array_equal(cast, array)):
        raise InputError(f"{field}: expected values that {fit.dtype} can hold; got others, of {array.dtype.name}.")
    return cast


def _may_become(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    ranks = "biufc"
    known = given.kind in ranks and wanted.kind in ranks
    if not known or (given.kind == "b") != (wanted.kind == "b"):
        return False
    return ranks.index(wanted.kind) >= ranks.index(given.kind) or (wanted.kind in "iu" and given.kind in "iu")


def _with_rows(array: Array, fit: TensorFit) -> Array:
    if fit.shape is None or array.ndim != len(fit.shape) - 1:
        return array
    return array[np.newaxis]


def _holds_strings(value: Any) -> bool:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, str | bytes)
