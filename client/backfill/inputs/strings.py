"""Strings of a file as numpy's bytes (`S`), which is how they travel: UTF-8 takes a quarter of numpy's text (`U`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from client.backfill.inputs.decoding import Refused
from client.backfill.inputs.string_width import level
from client.npy import Array


def pack_strings(strings: Array, where: str) -> Array:
    """An array of text, bytes or Python strings as an array of bytes, in UTF-8.

    Raises:
        Refused: One is no text that UTF-8 can say, or ends in a zero byte, which numpy's strings lose; or the rows are
            of several levels of length, and have to be packed in smaller parts.
    """
    if strings.dtype.kind == "S":
        return np.ascontiguousarray(strings)
    packed = [_encode(string, where) for string in strings.ravel().tolist()]
    if len(set(_levels(packed, len(strings)))) > 1:
        raise Refused(f"{where}: the strings are too unequal to be packed together.")
    longest = max(map(len, packed), default=0) or 1
    return np.array(packed, dtype=f"S{longest}").reshape(strings.shape)


def _levels(packed: Sequence[bytes], rows: int) -> list[int]:
    """The level of each row's longest string."""
    width = len(packed) // rows if rows else 0
    if not width:
        return []
    return [level(max(map(len, packed[start : start + width]))) for start in range(0, len(packed), width)]


def _encode(string: object, where: str) -> bytes:
    if isinstance(string, str):
        try:
            string = string.encode()
        except UnicodeEncodeError:
            raise Refused(f"{where}: expected text, found half of a surrogate pair.") from None
    if not isinstance(string, bytes):
        raise Refused(f"{where}: expected a string, found {type(string).__name__}.")
    if string.endswith(b"\0"):
        raise Refused(f"{where}: expected a string that ends in no zero byte, which arrays of strings cannot hold.")
    return string
