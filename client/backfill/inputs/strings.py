"""Strings of a file as numpy's bytes (`S`), which is how they travel: UTF-8 takes a quarter of numpy's text (`U`)."""

from __future__ import annotations

import numpy as np

from client.backfill.chunk import Array
from client.backfill.inputs.decoding import Refused

#: Padding to the longest string costs memory; rows are decoded apart before it takes more than this.
_MOST_PADDED_BYTES = 1 << 20
_MOST_PADDING = 4


def pack_strings(strings: Array, where: str) -> Array:
    """An array of text, bytes or Python strings as an array of bytes, in UTF-8.

    Raises:
        Refused: One is no text that UTF-8 can say, or ends in a zero byte, which numpy's strings lose; or they are
            better packed in smaller parts, since all are padded to the longest.
    """
    if strings.dtype.kind == "S":
        return np.ascontiguousarray(strings)
    packed = [_encode(string, where) for string in strings.ravel().tolist()]
    longest, total = max(map(len, packed), default=0) or 1, sum(map(len, packed))
    padded = longest * len(packed)
    if len(strings) > 1 and padded > _MOST_PADDED_BYTES and padded > _MOST_PADDING * total:
        raise Refused(f"{where}: the strings are too unequal to be packed together.")
    return np.array(packed, dtype=f"S{longest}").reshape(strings.shape)


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
