"""What tests of a backfill's inputs need: a source read to its end in portions, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from client.backfill.chunk import RowChunk, Rows, UnreadRow
from client.backfill.fit import Fit, RowSpec
from client.backfill.source import Source

VECTOR = Fit("digits", {"x": RowSpec("float32", (4,))})
PICTURE = Fit("small", {"image": RowSpec("float32", (96, 96, 3))}, takes_pictures=True)
FREELY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TWO = Fit("pair", {"a": RowSpec("int32", ()), "b": RowSpec("string", ())})


def fit_of(dtype: str, *shape: int | None) -> Fit:
    return Fit("m", {"x": RowSpec(dtype, shape)})


def write(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def read_all(source: Source, position: int = 0, most_rows: int = 7, most_bytes: int = 1 << 20) -> Rows:
    """All rows from a position on; their positions follow each other and no portion is larger than asked for."""
    rows: Rows = []
    with closing(source.read(position)) as reader:
        while portion := reader.next(most_rows, most_bytes):
            assert sum(row.end - first_of(row) for row in portion) <= most_rows
            for row in portion:
                assert first_of(row) == position, "positions follow each other"
                position = row.end
            rows += portion
    return rows


def first_of(row: RowChunk | UnreadRow) -> int:
    return row.first if isinstance(row, RowChunk) else row.position


def keys_of(rows: Rows) -> list[str]:
    return [key for row in rows for key in (row.keys if isinstance(row, RowChunk) else [row.key])]


def refusals_of(rows: Rows) -> dict[int, str]:
    return {row.position: row.reason for row in rows if isinstance(row, UnreadRow)}


def rows_of(rows: Rows, name: str) -> list[Any]:
    """Each row's value for one input, the unread ones left out."""
    return [value for row in rows if isinstance(row, RowChunk) for value in _input(row, name)]


def pictures_of(rows: Rows) -> list[bytes]:
    return [picture for row in rows if isinstance(row, RowChunk) for picture in _pictures(row)]


def array_of(rows: Rows, name: str = "x") -> np.ndarray[Any, Any]:
    return np.stack(rows_of(rows, name))


def _input(row: RowChunk, name: str) -> np.ndarray[Any, Any]:
    assert isinstance(row.inputs, Mapping)
    return row.inputs[name]


def _pictures(row: RowChunk) -> Sequence[bytes]:
    assert not isinstance(row.inputs, Mapping)
    return row.inputs
