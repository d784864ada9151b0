"""The rows of a format that can only be written as a whole, kept in a file that can be cut at any block.

A block is a line of JSON that says how many rows it has and what its columns are, and then the bytes of the columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from client.backfill.answers import Answers
from client.backfill.outputs.durable_file import GrowingFile
from client.backfill.outputs.spool_columns import ColumnKind, ColumnPart, encode

#: Blocks are this large, unless they are flushed before: few enough that their lines take no time to read.
_BLOCK_BYTES = 1 << 20


class SpoolWriter:
    """Gathers rows into blocks: one ends when it is large, before rows of another shape, and with each `flush`."""

    def __init__(self, file: GrowingFile) -> None:
        self._file = file
        self._parts: list[Sequence[ColumnPart]] = []
        self._bytes = 0

    def write(self, keys: Sequence[str], answers: Answers) -> None:
        """Add rows."""
        parts = list(encode(keys, answers))
        if self._parts and [part.kind for part in parts] != [part.kind for part in self._parts[0]]:
            self._write_block()
        self._parts.append(parts)
        self._bytes += sum(len(part.lengths) + len(part.content) for part in parts)
        if self._bytes >= _BLOCK_BYTES:
            self._write_block()

    def flush(self) -> int:
        """Make all rows durable; the file's length in bytes."""
        if self._parts:
            self._write_block()
        return self._file.flush()

    def _write_block(self) -> None:
        columns = [_joined(parts) for parts in zip(*self._parts, strict=True)]
        self._parts, self._bytes = [], 0
        header = {"rows": columns[0].rows, "columns": [_described(column) for column in columns]}
        self._file.write(json.dumps(header, separators=(",", ":")).encode() + b"\n")
        for column in columns:
            self._file.write(column.lengths)
            self._file.write(column.content)


def _joined(parts: Sequence[ColumnPart]) -> ColumnPart:
    return ColumnPart(
        parts[0].kind,
        sum(part.rows for part in parts),
        b"".join(part.lengths for part in parts),
        b"".join(part.content for part in parts),
    )


def _described(column: ColumnPart) -> Mapping[str, Any]:
    return {
        "name": column.kind.name,
        "dtype": column.kind.dtype,
        "shape": column.kind.shape,
        "lengths_bytes": len(column.lengths),
        "content_bytes": len(column.content),
    }


@dataclass(frozen=True)
class BlockColumn:
    """Where a block's column is in the file: `lengths_bytes` from `offset` on, and behind them the content."""

    kind: ColumnKind
    rows: int
    offset: int
    lengths_bytes: int
    content_bytes: int

    def read(self, spool: BinaryIO) -> ColumnPart:
        """The column's bytes."""
        spool.seek(self.offset)
        return ColumnPart(self.kind, self.rows, spool.read(self.lengths_bytes), spool.read(self.content_bytes))

    def read_lengths(self, spool: BinaryIO) -> ColumnPart:
        """The same without the content."""
        spool.seek(self.offset)
        return ColumnPart(self.kind, self.rows, spool.read(self.lengths_bytes), b"")


def blocks(spool: BinaryIO) -> Iterator[Mapping[str, BlockColumn]]:
    """The blocks of a spool from its beginning, each as its columns by name; the file may be read in between."""
    at = 0
    while True:
        spool.seek(at)
        line = spool.readline()
        if not line:
            return
        header, at = json.loads(line), at + len(line)
        columns = {}
        for described in header["columns"]:
            sizes = described["lengths_bytes"], described["content_bytes"]
            kind = ColumnKind(described["name"], described["dtype"], tuple(described["shape"]))
            columns[kind.name] = BlockColumn(kind, header["rows"], at, *sizes)
            at += sum(sizes)
        yield columns
