"""Nested JSON lists -> an array of the dtype that a signature asks for; nothing is rounded, cut or guessed."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from model_store.errors import InvalidInput
from model_store.signature import TensorSpec

# numpy pads every string of an array to the longest: one long among many short could ask for terabytes.
MAX_STRING_ARRAY_BYTES = 268_435_456

_KIND_NAMES = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list that is nested deeper than its neighbours",
    str: "a string",
    type(None): "null",
}


def array_from_json(value: Any, spec: TensorSpec, field: str) -> np.ndarray:
    """Make an array of the spec's dtype from nested JSON lists; its shape is left to `check_inputs`.

    Strings that are not text may stand as `{"b64": …}`, as TensorFlow Serving has them; then the array is one of
    `bytes` objects, see `model_store.byte_strings`.

    Args:
        value: A number, string or boolean, or lists of them, nested to any depth.
        spec: Says the dtype: bool, an integer, a float or "string". A fraction never becomes an integer.
        field: Where the value stood in the request, for the message.

    Raises:
        InvalidInput: A ragged list, a value of another kind (null included), or a number that the dtype
            cannot hold.
    """
    expected = _expected_values(spec.dtype, field)
    leaves, depth = _leaves(value)
    try:
        kinds = set(map(type, leaves))
        array = _build(value, kinds, spec.dtype) if kinds <= _leaf_kinds(spec.dtype) else None
    except (TypeError, ValueError, OverflowError):
        array = None
    if array is None or array.ndim != depth:
        raise InvalidInput(field, expected, _find_culprit(value, spec.dtype, depth))
    return _pad_strings(array, field) if spec.dtype == "string" else array


def _expected_values(dtype: str, field: str) -> str:
    if dtype in ("string", "bool"):
        return 'strings or {"b64": …}' if dtype == "string" else "booleans"
    kind = _numpy_kind(dtype)
    if kind in ("i", "u"):
        return f"{dtype} numbers from {np.iinfo(dtype).min} to {np.iinfo(dtype).max}"
    if kind == "f":
        return f"{dtype} numbers"
    raise InvalidInput(field, f"a {dtype} array as application/x-npy or application/x-npz", "JSON")


def _numpy_kind(dtype: str) -> str:
    try:
        return np.dtype(dtype).kind
    except TypeError:
        # TensorFlow has dtypes that numpy lacks, such as bfloat16.
        return ""


def _leaf_kinds(dtype: str) -> set[type]:
    if dtype == "string":
        return {str, dict}
    return {bool} if dtype == "bool" else {int, float}


def _leaves(value: Any) -> tuple[Iterable[Any], int]:
    """All values at the depth of the first one, without a loop in Python, and that depth."""
    first: Any = value
    leaves: Iterable[Any] = [value]
    depth = 0
    while isinstance(first, list):
        leaves = chain.from_iterable(leaves)
        depth += 1
        if not first:
            break
        first = first[0]
    return leaves, depth


def _build(value: Any, kinds: set[type], dtype: str) -> np.ndarray:
    """Raises ValueError for ragged lists and fractions, OverflowError for what the dtype cannot hold."""
    if dtype == "string":
        strings = np.array(value, dtype=object)
        return _bytes(strings) if dict in kinds or _ends_in_zeros(strings) else strings
    if np.dtype(dtype).kind in "iu":
        return _build_integers(value, kinds, np.dtype(dtype))
    with np.errstate(over="ignore"):
        array = np.array(value, dtype=bool if dtype == "bool" else np.float64).astype(dtype)
    if np.isinf(array).any():
        raise OverflowError
    return array


def _build_integers(value: Any, kinds: set[type], dtype: np.dtype) -> np.ndarray:
    widest = np.uint64 if dtype == np.uint64 else np.int64
    if float not in kinds:
        exact = np.array(value, dtype=widest)
    else:
        rounded = np.array(value, dtype=np.float64)
        if not np.array_equal(rounded, np.trunc(rounded)):
            raise ValueError
        exact = np.array(value, dtype=object).astype(widest)
    if exact.size and (exact.min() < np.iinfo(dtype).min or exact.max() > np.iinfo(dtype).max):
        raise OverflowError
    return exact.astype(dtype)


def _ends_in_zeros(strings: np.ndarray) -> bool:
    """Whether numpy's text would drop a zero character at the end of one."""
    return any(isinstance(string, str) and string.endswith("\0") for string in strings.flat)


def _bytes(strings: np.ndarray) -> np.ndarray:
    """All strings as bytes; raises ValueError for a value that stands for none."""
    array = np.empty(strings.shape, object)
    for index in np.ndindex(strings.shape):
        array[index] = _decoded(strings[index])
    return array


def _decoded(string: Any) -> bytes:
    if isinstance(string, str):
        return string.encode()
    if not is_base64(string):
        raise ValueError
    return b64decode(string["b64"], validate=True)


def _is_decodable(string: Any) -> bool:
    try:
        _decoded(string)
    except ValueError:
        return False
    return True


def is_base64(value: Any) -> bool:
    """Whether a JSON value stands for bytes; what they are is not looked at."""
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def _pad_strings(array: np.ndarray, field: str) -> np.ndarray:
    is_text = not array.size or isinstance(array.flat[0], str)
    longest = max(map(len, array.flat), default=0)
    if array.size * longest * (4 if is_text else 1) > MAX_STRING_ARRAY_BYTES:
        limit = f"strings that need at most {MAX_STRING_ARRAY_BYTES} bytes once padded to the longest of them"
        raise InvalidInput(field, limit, f"{array.size} strings of up to {longest} characters")
    return array.astype(str) if is_text else array


def _find_culprit(value: Any, dtype: str, depth: int) -> str:
    """Describe the first value that does not belong; where there is none, the lists differ in length."""
    kinds, (lowest, highest) = _leaf_kinds(dtype), _limits(dtype)
    no_fractions = isinstance(highest, int)
    for path, leaf in _walk(value, depth):
        if type(leaf) not in kinds or (dtype == "string" and not _is_decodable(leaf)):
            return _KIND_NAMES.get(type(leaf), "a value of an unknown kind") + path
        if lowest is not None and (leaf < lowest or leaf > highest):
            return f"a number out of range{path}"
        if no_fractions and leaf % 1:
            return f"a fraction{path}"
    return "a ragged list"


def _walk(value: Any, depth: int, path: str = " at ") -> Iterator[tuple[str, Any]]:
    if depth == 0 or not isinstance(value, list):
        yield path if path != " at " else "", value
        return
    for index, item in enumerate(value):
        yield from _walk(item, depth - 1, f"{path}[{index}]")


def _limits(dtype: str) -> tuple[Any, Any]:
    if dtype in ("string", "bool"):
        return None, None
    if np.dtype(dtype).kind in "iu":
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    return np.finfo(dtype).min.item(), np.finfo(dtype).max.item()
