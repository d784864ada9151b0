"""Narrow floating-point numbers with as few digits as tell them apart: 0.1, and not 0.10000000149011612."""

from __future__ import annotations

import numpy as np

from client.npy import Array

#: Digits that any number of the type keeps, and those that tell any two apart (IEEE 754, `numpy.finfo`).
_DIGITS = {"e": (3, 5), "f": (6, 9)}

#: The powers of ten that 64 bits hold exactly: dividing a whole number by one gives the float nearest to the decimal.
_POWERS = np.array([10.0**exponent for exponent in range(23)])
_MOST_DIGITS = 9


def shortest(array: Array) -> Array:
    """Numbers of 16 or 32 bits in 64, so that Python's shortest form of each reads back equal in the narrow type.

    What is tiny, huge or not finite, or has 64 bits already, stays as it is, which reads back equal too.

    Args:
        array: Any shape and dtype.
    """
    if array.dtype.char not in _DIGITS:
        return array
    exact = array.astype(np.float64)
    size = np.abs(exact)
    smallest = 10.0 ** -(len(_POWERS) - _MOST_DIGITS - 1)
    is_long = (size >= smallest) & (size < _POWERS[_MOST_DIGITS])
    exponent = np.floor(np.log10(np.where(is_long, size, 1.0))).astype(np.int64)
    short = exact.copy()
    fewest, most = _DIGITS[array.dtype.char]
    for digits in range(fewest, most + 1):
        power = _POWERS[np.clip(digits - 1 - exponent, 0, len(_POWERS) - 1)]
        candidate = np.rint(exact * power) / power
        is_equal = is_long & (candidate.astype(array.dtype) == array)
        short[is_equal] = candidate[is_equal]
        is_long &= ~is_equal
        if not is_long.any():
            break
    return short
