"""CSV files: a header, columns named for the model's inputs, a record a row."""

from __future__ import annotations

import csv
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from client.backfill.chunk import unread_key
from client.backfill.fit import Fit, RowSpec
from client.backfill.inputs.block_reader import Blocks, BlockSource
from client.backfill.inputs.columns import ColumnPlan, plan_columns
from client.backfill.inputs.csv_records import MAX_RECORD, CsvRecords, find_delimiter, parse_records
from client.backfill.inputs.decoding import Refused, decode_rows
from client.backfill.inputs.fingerprint import file_fingerprint
from client.backfill.inputs.options import ReadOptions
from client.backfill.inputs.picture_rows import picture_rows
from client.backfill.inputs.text_blocks import text_blocks
from client.backfill.inputs.text_lines import check_encoding, is_quickly_read, is_text, text_lines
from client.backfill.inputs.values import rows_of_texts, rows_of_values
from client.errors import InputError
from client.npy import Array
from client.tensor_fit import STRING


def open_csv(path: Path, fit: Fit, options: ReadOptions) -> BlockSource:
    """A CSV file as a source. Going to a position means to read the lines before it, without parsing them.

    Raises:
        InputError: It cannot be read, has no header, or lacks a column.
    """
    check_encoding(options.encoding)
    # Rows of pictures in JSON are longer than the module's default for a cell, 131,072 characters.
    csv.field_size_limit(MAX_RECORD)
    names, delimiter = _read_header(path, options)
    plan = plan_columns(names, fit, options.id_column, str(path))
    table = CsvTable(path, fit, options, delimiter, names, plan)
    keys = None if plan.id is None else table.keys
    return BlockSource(file_fingerprint(path), table.count_rows(), plan.notes(), table.blocks, keys)


@dataclass(frozen=True)
class CsvTable:
    """A CSV file whose header was read."""

    path: Path
    fit: Fit
    options: ReadOptions
    delimiter: str
    names: Sequence[str]
    plan: ColumnPlan

    def count_rows(self) -> int | None:
        """How many records it has; None where counting would take long."""
        if not is_quickly_read(self.path):
            return None
        with closing(_lines_of(self.path, self.options)) as lines:
            return sum(1 for _ in CsvRecords(lines, self.delimiter)) - 1

    def blocks(self, position: int) -> Blocks:
        """The rows from a position on."""
        for rows in self._parsed(position):
            yield from self._rows(position, rows)
            position += len(rows)

    def keys(self) -> Iterator[str]:
        """The keys of all rows."""
        rows = chain.from_iterable(self._parsed(0))
        return (self._key(position, row) for position, row in enumerate(rows))

    def _parsed(self, position: int) -> Iterator[list[list[str] | Refused]]:
        with closing(_lines_of(self.path, self.options)) as lines:
            records = islice(CsvRecords(lines, self.delimiter), position + 1, None)
            for block in text_blocks(records):
                yield self._with_id(parse_records(block, self.delimiter, len(self.names)))

    def _rows(self, first: int, rows: Sequence[list[str] | Refused]) -> Blocks:
        keys = [self._key(position, row) for position, row in enumerate(rows, first)]
        if self.plan.picture is None:
            yield decode_rows(first, keys, lambda start, stop: self._decode(rows[start:stop]))
            return
        column = self.plan.picture
        paths = [row if isinstance(row, Refused) else row[column] for row in rows]
        yield from picture_rows(first, keys, paths, self.options.folder_of(self.path))

    def _with_id(self, rows: list[list[str] | Refused]) -> list[list[str] | Refused]:
        column = self.plan.id
        if column is None:
            return rows
        without = Refused(f"Column {self.names[column]!r}: expected an id, found an empty cell.")
        return [row if isinstance(row, Refused) or row[column] else without for row in rows]

    def _key(self, position: int, row: list[str] | Refused) -> str:
        if self.plan.id is None:
            return str(position)
        return unread_key(position) if isinstance(row, Refused) else row[self.plan.id]

    def _decode(self, rows: Sequence[list[str] | Refused]) -> Mapping[str, Array]:
        for row in rows:
            if isinstance(row, Refused):
                raise row
        cells = [row for row in rows if not isinstance(row, Refused)]
        return {name: self._input(name, spec, cells) for name, spec in self.fit.inputs.items()}

    def _input(self, name: str, spec: RowSpec, cells: Sequence[list[str]]) -> Array:
        first, *others = self.plan.inputs[name]
        if others:
            begin, end = f"{self.names[first]!r}", f"{self.names[others[-1]]!r}"
            return rows_of_texts(_pick(cells, (first, *others)), spec, f"Columns {begin} to {end}")
        where = f"Column {self.names[first]!r}"
        column = [row[first] for row in cells]
        if _holds_lists(spec, column):
            return rows_of_values([_from_json(cell, where) for cell in column], spec, where)
        return rows_of_texts([[cell] for cell in column], spec, where)


def _lines_of(path: Path, options: ReadOptions) -> Generator[str, None, None]:
    return text_lines(path, options.encoding, newline="")


def _read_header(path: Path, options: ReadOptions) -> tuple[list[str], str]:
    """The names of the columns, and what stands between cells."""
    with closing(_lines_of(path, options)) as lines:
        first = next((line for line in lines if line.strip("\r\n")), "")
        delimiter = find_delimiter(first)
        header = next(CsvRecords(chain([first], lines), delimiter)) if first else ""
    try:
        names = next(csv.reader([header], delimiter=delimiter, strict=True))
    except csv.Error:
        names = []
    if not any(names) or not is_text(header):
        raise InputError(f"{path} has no header; expected a first line that names its columns.")
    return names, delimiter


def _pick(cells: Sequence[list[str]], columns: tuple[int, ...]) -> list[list[str]]:
    if columns == tuple(range(columns[0], columns[-1] + 1)):
        return [row[columns[0] : columns[-1] + 1] for row in cells]
    return [[row[column] for column in columns] for row in cells]


def _holds_lists(spec: RowSpec, column: Sequence[str]) -> bool:
    """Whether a column holds rows as JSON: the model takes more than one value, or any, and a list stands there."""
    if spec.shape is None:
        return spec.dtype != STRING and column[0].lstrip().startswith("[")
    return spec.size != 1


def _from_json(cell: str, where: str) -> object:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        found = f"{cell[:40]!r}" if cell.strip() else "an empty cell"
        raise Refused(f"{where}: expected a JSON list, found {found}.") from None
