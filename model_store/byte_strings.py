"""TensorFlow's strings, which are bytes of any kind, as arrays: text where they are text, else objects of `bytes`.

numpy's own types for strings drop zero bytes at the end of each. Where that would lose some, an array is written with
two fields: `length`, and `bytes` with as many as the longest has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

LENGTH, BYTES = "length", "bytes"

Array = np.ndarray[Any, Any]


def as_text(strings: Array) -> Array:
    """An array of `bytes` objects as numpy's text (`U`); the same array where one of them is no text that it can hold.

    Text is UTF-8 that does not end in a zero character.
    """
    try:
        texts = [string.decode() for string in strings.flat]
    except UnicodeDecodeError:
        return strings
    if any(text.endswith("\0") for text in texts):
        return strings
    return np.array(texts, dtype=str).reshape(strings.shape)


def concatenate(arrays: Sequence[Array]) -> Array:
    """What numpy gives, but where some are text and others bytes: then all are bytes."""
    if len({array.dtype.kind for array in arrays} & {"U", "O"}) > 1:
        return np.concatenate([_as_bytes(array) if array.dtype.kind == "U" else array for array in arrays])
    return np.concatenate(arrays)


def _as_bytes(texts: Array) -> Array:
    strings = np.empty(texts.shape, object)
    for index in np.ndindex(texts.shape):
        strings[index] = str(texts[index]).encode()
    return strings


def pack(strings: Array) -> Array:
    """An array of `bytes` objects as one without objects: numpy's `S`, or with the two fields.

    Raises:
        ValueError: It holds other objects.
    """
    flat = strings.ravel().tolist()
    if not all(isinstance(string, bytes) for string in flat):
        raise ValueError("An array of bytes is expected, not of Python objects.")
    width = max((len(string) for string in flat), default=0) or 1
    plain = np.array(flat, dtype=f"S{width}").reshape(strings.shape)
    if not any(string.endswith(b"\0") for string in flat):
        return plain
    packed = np.empty(strings.shape, [(LENGTH, "<i8"), (BYTES, plain.dtype)])
    packed[LENGTH] = np.array([len(string) for string in flat]).reshape(strings.shape)
    packed[BYTES] = plain
    return packed


def unpack(array: Array) -> Array:
    """The reverse of `pack` for arrays with the two fields; other arrays as they are."""
    if array.dtype.names != (LENGTH, BYTES):
        return array
    strings = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        entry = array[index]
        strings[index] = bytes(entry[BYTES]).ljust(int(entry[LENGTH]), b"\0")
    return strings
