"""What a spool's columns are as a whole: the types and shapes of the file that is put together from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from client.backfill.answers import ID
from client.backfill.outputs.spool import BlockColumn, blocks
from client.backfill.outputs.spool_columns import BYTES, TEXT, ColumnKind, ColumnPart, decode_strings


@dataclass(frozen=True)
class ColumnLayout:
    """One column of the whole file.

    Attributes:
        name: The output's name, or `id`.
        dtype: numpy's name of it, or `TEXT` or `BYTES`.
        shape: A row's; None where rows differ in it.
        dimensions: How many a row has.
        rows: How many.
        values: How many values all rows have.
        most_bytes: Of strings: how many the longest has.
        most_characters: Of text: how many the longest has.
        has_trailing_zeros: Of bytes: whether one ends in a zero byte, which numpy's strings lose.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    dimensions: int
    rows: int = 0
    values: int = 0
    most_bytes: int = 0
    most_characters: int = 0
    has_trailing_zeros: bool = False

    @property
    def is_strings(self) -> bool:
        """Whether its values are strings."""
        return self.dtype in (TEXT, BYTES)


def read_layout(spool: BinaryIO) -> list[ColumnLayout]:
    """The columns of a spool, `id` first; only that one when there are no rows."""
    layout = {ID: _first_of(ColumnKind(ID, TEXT, ()))}
    for block in blocks(spool):
        for name, column in block.items():
            layout[name] = _grown(layout.get(name) or _first_of(column.kind), column, spool)
    return list(layout.values())


def _first_of(kind: ColumnKind) -> ColumnLayout:
    return ColumnLayout(kind.name, kind.dtype, kind.shape, len(kind.shape))


def _grown(layout: ColumnLayout, column: BlockColumn, spool: BinaryIO) -> ColumnLayout:
    layout = replace(
        layout,
        dtype=_common_dtype(layout.dtype, column.kind.dtype),
        shape=layout.shape if layout.shape == column.kind.shape else None,
        rows=layout.rows + column.rows,
        values=layout.values + column.rows * column.kind.values,
    )
    return _with_strings(layout, column.read(spool)) if column.kind.is_strings else layout


def _common_dtype(one: str, other: str) -> str:
    if one == other:
        return one
    if {one, other} & {TEXT, BYTES}:
        return BYTES
    return np.result_type(one, other).str


def _with_strings(layout: ColumnLayout, part: ColumnPart) -> ColumnLayout:
    strings = decode_strings(part)
    texts = [string.decode(errors="surrogatepass") for string in strings] if part.kind.dtype == TEXT else []
    return replace(
        layout,
        most_bytes=max(layout.most_bytes, *map(len, strings), 0),
        most_characters=max(layout.most_characters, *map(len, texts), 0),
        has_trailing_zeros=layout.has_trailing_zeros or any(string.endswith(b"\0") for string in strings),
    )
