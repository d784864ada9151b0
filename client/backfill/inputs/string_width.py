"""How wide an array of strings is: all are padded to the longest, so rows of very unequal length are kept apart.

What is kept apart, and how wide an array is, depends on its own rows alone: rows that are read once more become the
same bytes, whatever was read with them, so that a job can be submitted again and found.
"""

from __future__ import annotations

import numpy as np

from client.npy import Array

#: In bits of the length in bytes: up to 4 KiB all go together; above, each level is 8 times as long as the one below.
_SHORT_BITS = 12
_LEVEL_BITS = 3


def level(length: int) -> int:
    """Strings of one level may be padded to each other."""
    bits = max(0, length - 1).bit_length()
    return max(0, -(-(bits - _SHORT_BITS) // _LEVEL_BITS))


def trim(array: Array) -> Array:
    """Strings as wide as the longest of them needs; other arrays as they are."""
    if array.dtype.kind != "S" or not array.size:
        return array
    longest = max(1, int(np.char.str_len(array).max()))
    return array if longest == array.dtype.itemsize else array.astype(f"S{longest}")
