"""Columns of Arrow (what Parquet is read as) -> numpy arrays with rows on axis 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from client.backfill.inputs.decoding import Refused
from client.npy import Array


def array_of_column(column: pa.Array, where: str) -> Array:
    """The rows of a column: numbers, booleans, strings, or lists of them, nested to any depth.

    No value is looked at in Python, but for strings.

    Args:
        column: One chunk of a column, at least one row.
        where: The column, for the sentence.

    Raises:
        Refused: A null, lists of several lengths, or a type that is no number, boolean or string.
    """
    shape = [len(column)]
    values: Any = column
    while True:
        if isinstance(values, pa.FixedShapeTensorArray):
            _check_no_null(values, where)
            shape += _tensor_shape(values.type, where)
            values = values.storage.flatten()
        elif isinstance(values, pa.ExtensionArray):
            values = values.storage
        elif pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        elif _is_list(values.type):
            _check_no_null(values, where)
            shape.append(_list_length(values, where))
            values = values.flatten()
        else:
            return _leaves(values, where).reshape(shape)


def _tensor_shape(kind: Any, where: str) -> list[int]:
    if kind.permutation not in (None, list(range(len(kind.shape)))):
        raise Refused(f"{where}: expected tensors in row-major order, found the permutation {kind.permutation}.")
    return list(kind.shape)


def _is_list(kind: pa.DataType) -> bool:
    return any(check(kind) for check in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def _list_length(lists: Any, where: str) -> int:
    if pa.types.is_fixed_size_list(lists.type):
        return int(lists.type.list_size)
    lengths = np.unique(np.diff(lists.offsets.to_numpy()))
    if len(lengths) > 1:
        raise Refused(f"{where}: expected lists of one length at each depth, found {lengths[0]} and {lengths[-1]}.")
    return int(lengths[0]) if len(lengths) else 0


def _leaves(values: Any, where: str) -> Array:
    _check_no_null(values, where)
    kind = values.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        numbers: Array = values.to_numpy()
        return numbers
    if pa.types.is_boolean(kind):
        booleans: Array = values.to_numpy(zero_copy_only=False)
        return booleans
    if is_text_or_bytes(kind):
        strings = np.empty(len(values), object)
        strings[:] = values.to_pylist()
        return strings
    raise Refused(f"{where}: expected numbers, booleans or strings, found {kind}.")


def is_text_or_bytes(kind: pa.DataType) -> bool:
    """Whether a type is one of Arrow's strings or byte strings."""
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    binary = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(is_kind(kind) for is_kind in checks + binary)


def _check_no_null(values: Any, where: str) -> None:
    if values.null_count:
        raise Refused(f"{where}: expected a value, found null.")
