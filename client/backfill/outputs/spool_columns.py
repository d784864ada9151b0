"""Rows as columns of bytes, that can be put one behind the other: how keys and answers are spooled."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from client.backfill.answers import ID, Answers, column_name
from client.backfill.outputs.byte_strings import byte_strings
from client.npy import Array

#: Instead of numpy's name of a dtype: strings of any length.
TEXT, BYTES = "text", "bytes"

#: The column that holds whole documents, as JSON.
DOCUMENT = "document"

_LENGTH = np.dtype("<i8")


@dataclass(frozen=True)
class ColumnKind:
    """What rows of one column have in common; with the same kind they can be put together.

    Attributes:
        name: The output's name, or `id`.
        dtype: numpy's name of it such as "<f4", or `TEXT` or `BYTES`.
        shape: A row's.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def is_strings(self) -> bool:
        """Whether its values are strings."""
        return self.dtype in (TEXT, BYTES)

    @property
    def values(self) -> int:
        """How many values a row has."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class ColumnPart:
    """Some rows of a column.

    Attributes:
        kind: The column's.
        rows: How many.
        lengths: How many bytes each string has, 8-byte integers; nothing for numbers.
        content: The values, row by row; text as UTF-8, lone surrogates too.
    """

    kind: ColumnKind
    rows: int
    lengths: bytes
    content: bytes


def encode(keys: Sequence[str], answers: Answers) -> Iterator[ColumnPart]:
    """The columns of some rows: the keys first, then an output each, or the documents in one."""
    rows = len(keys)
    yield _text(ID, rows, (), keys)
    if isinstance(answers, Mapping):
        for name, array in answers.items():
            yield _array(column_name(name, answers), rows, array)
    else:
        yield _text(DOCUMENT, rows, (), [_compact_json(document) for document in answers])


def _compact_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _array(name: str, rows: int, array: Array) -> ColumnPart:
    shape = array.shape[1:]
    if array.dtype.kind == "U":
        return _text(name, rows, shape, array.ravel().tolist())
    if array.dtype.kind in "SVO":
        return _strings(ColumnKind(name, BYTES, shape), rows, byte_strings(array))
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return ColumnPart(ColumnKind(name, little.dtype.str, shape), rows, b"", little.tobytes())


def _text(name: str, rows: int, shape: tuple[int, ...], texts: Sequence[str]) -> ColumnPart:
    encoded = [text.encode(errors="surrogatepass") for text in texts]
    return _strings(ColumnKind(name, TEXT, shape), rows, encoded)


def _strings(kind: ColumnKind, rows: int, strings: Sequence[bytes]) -> ColumnPart:
    return ColumnPart(kind, rows, np.array([len(string) for string in strings], _LENGTH).tobytes(), b"".join(strings))


def decode_array(part: ColumnPart) -> Array:
    """Numbers, rows on axis 0."""
    return np.frombuffer(part.content, part.kind.dtype).reshape(part.rows, *part.kind.shape)


def decode_strings(part: ColumnPart) -> list[bytes]:
    """Strings as bytes, row by row, flat."""
    ends = np.frombuffer(part.lengths, _LENGTH).cumsum().tolist()
    return [part.content[start:end] for start, end in zip([0, *ends], ends, strict=False)]
