"""Neighbouring chunks of the same shapes as one chunk."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import chain, groupby

import numpy as np

from client.backfill.chunk import RowChunk, Rows, UnreadRow
from client.backfill.inputs.string_width import level, trim
from client.npy import Array


def join(rows: Rows) -> Rows:
    """The same rows in as few chunks as their shapes, and the rows that cannot be read, allow."""
    joined: Rows = []
    for _, group in groupby(rows, _likeness):
        alike = list(group)
        chunks = [row for row in alike if isinstance(row, RowChunk)]
        joined += [_concatenate(chunks)] if len(chunks) > 1 else alike
    return joined


def compact(row: RowChunk | UnreadRow) -> RowChunk | UnreadRow:
    """The same row or rows, with strings as wide as they need."""
    if isinstance(row, UnreadRow) or not isinstance(row.inputs, Mapping):
        return row
    return RowChunk(row.first, row.keys, {name: trim(array) for name, array in row.inputs.items()})


def _likeness(row: RowChunk | UnreadRow) -> Hashable:
    if isinstance(row, UnreadRow):
        return "unread"
    if not isinstance(row.inputs, Mapping):
        return "pictures"
    return tuple((name, array.shape[1:], _width(array)) for name, array in row.inputs.items())


def _width(array: Array) -> Hashable:
    return level(array.dtype.itemsize) if array.dtype.kind == "S" else array.dtype.str


def _concatenate(chunks: Sequence[RowChunk]) -> RowChunk:
    keys = list(chain.from_iterable(chunk.keys for chunk in chunks))
    arrays = [chunk.inputs for chunk in chunks if isinstance(chunk.inputs, Mapping)]
    if arrays:
        names = arrays[0]
        return RowChunk(
            chunks[0].first, keys, {name: np.concatenate([part[name] for part in arrays]) for name in names}
        )
    pictures = list(chain.from_iterable(chunk.inputs for chunk in chunks))
    return RowChunk(chunks[0].first, keys, [picture for picture in pictures if isinstance(picture, bytes)])
