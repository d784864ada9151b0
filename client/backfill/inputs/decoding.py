"""Rows that are decoded together where they can be, and one by one around those that cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from client.backfill.chunk import RowChunk, Rows, UnreadRow
from client.backfill.inputs.joining import join
from client.npy import Array

Decode: TypeAlias = Callable[[int, int], Mapping[str, Array] | Sequence[bytes]]


class Refused(Exception):
    """Rows cannot become one array; of a single row it says why, in a sentence."""


def decode_rows(first: int, keys: Sequence[str], decode: Decode) -> Rows:
    """Chunks of all rows that can be decoded, and the others each with its reason.

    A block with `k` bad rows among `n` is decoded some `k × log2(n)` times, in smaller and smaller parts.

    Args:
        first: The position of the first row.
        keys: A key for each row.
        decode: The inputs of the rows from a start to a stop, counted from 0; raises `Refused`.
    """
    return join(list(_decode(first, keys, decode, 0, len(keys)))) if keys else []


def _decode(first: int, keys: Sequence[str], decode: Decode, start: int, stop: int) -> Rows:
    try:
        return [RowChunk(first + start, keys[start:stop], decode(start, stop))]
    except Refused as refusal:
        if stop - start == 1:
            return [UnreadRow(first + start, keys[start], str(refusal))]
    middle = (start + stop) // 2
    return _decode(first, keys, decode, start, middle) + _decode(first, keys, decode, middle, stop)
