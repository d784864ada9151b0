"""JSON Lines files: a line a row, see `json_line`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from pathlib import Path

from client.backfill.chunk import unread_key
from client.backfill.fit import Fit
from client.backfill.inputs.block_reader import Blocks, BlockSource
from client.backfill.inputs.decoding import decode_rows
from client.backfill.inputs.fingerprint import file_fingerprint
from client.backfill.inputs.json_line import Line, read_line
from client.backfill.inputs.options import ReadOptions
from client.backfill.inputs.picture_rows import picture_rows
from client.backfill.inputs.text_blocks import text_blocks
from client.backfill.inputs.text_lines import check_encoding, is_quickly_read, text_lines
from client.backfill.inputs.values import rows_of_values
from client.npy import Array

#: Ids that only later lines have are not checked to be unique: that would mean to parse all lines twice.
_LOOKED_AT = 1000


def open_json_lines(path: Path, fit: Fit, options: ReadOptions) -> BlockSource:
    """A JSON Lines file as a source. Going to a position means to read the lines before it, without parsing them.

    Raises:
        InputError: It cannot be read.
    """
    check_encoding(options.encoding)
    lines = JsonLines(path, fit, options)
    if options.id_column is not None or lines.has_ids():
        lines = replace(lines, has_keys=True)
    keys = lines.keys if lines.has_keys else None
    return BlockSource(file_fingerprint(path), lines.count_rows(), (), lines.blocks, keys)


@dataclass(frozen=True)
class JsonLines:
    """A JSON Lines file. Blank lines are no rows.

    Attributes:
        path: Where it is.
        fit: What the model takes.
        options: How it is read.
        has_keys: Whether its lines name their keys; else their numbers are.
    """

    path: Path
    fit: Fit
    options: ReadOptions
    has_keys: bool = False

    def count_rows(self) -> int | None:
        """How many lines it has; None where counting would take long."""
        if not is_quickly_read(self.path):
            return None
        with closing(text_lines(self.path, self.options.encoding, newline="\n")) as lines:
            return sum(1 for line in lines if not line.isspace())

    def blocks(self, position: int) -> Blocks:
        """The rows from a position on."""
        for block in self._read(position):
            # Pictures and arrays may stand in one file.
            for has_pictures, group in groupby(block, lambda line: line.picture is not None):
                alike = list(group)
                yield from self._pictures(position, alike) if has_pictures else self._arrays(position, alike)
                position += len(alike)

    def has_ids(self) -> bool:
        """Whether one of the first lines has a key."""
        first = islice(chain.from_iterable(self._read(0)), _LOOKED_AT)
        return any(line.key is not None for line in first)

    def keys(self) -> Iterator[str]:
        """The keys of all rows."""
        lines = chain.from_iterable(self._read(0))
        return (self._key(position, line) for position, line in enumerate(lines))

    def _read(self, position: int) -> Iterator[list[Line]]:
        with closing(text_lines(self.path, self.options.encoding, newline="\n")) as lines:
            records = islice((line for line in lines if not line.isspace()), position, None)
            for block in text_blocks(records):
                yield [read_line(line, self.fit, self.options.id_column) for line in block]

    def _pictures(self, first: int, lines: Sequence[Line]) -> Blocks:
        yield from picture_rows(
            first, self._keys(first, lines), [line.picture for line in lines], self.options.folder_of(self.path)
        )

    def _arrays(self, first: int, lines: Sequence[Line]) -> Blocks:
        yield decode_rows(first, self._keys(first, lines), lambda start, stop: self._decode(lines[start:stop]))

    def _decode(self, lines: Sequence[Line]) -> Mapping[str, Array]:
        for line in lines:
            if line.refusal is not None:
                raise line.refusal
        return {
            name: rows_of_values([line.values[name] for line in lines], spec, f"Input {name!r}")
            for name, spec in self.fit.inputs.items()
        }

    def _keys(self, first: int, lines: Sequence[Line]) -> list[str]:
        return [self._key(position, line) for position, line in enumerate(lines, first)]

    def _key(self, position: int, line: Line) -> str:
        if line.key is not None:
            return line.key
        # Where keys are read a number may be another line's.
        return unread_key(position) if self.has_keys else str(position)
