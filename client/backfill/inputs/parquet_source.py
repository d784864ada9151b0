"""Parquet files: columns named for the model's inputs, or one with pictures or their paths; read by row groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from client.backfill.chunk import unread_key
from client.backfill.fit import Fit, RowSpec
from client.backfill.inputs.arrow_rows import array_of_column, is_text_or_bytes
from client.backfill.inputs.block_reader import BLOCK_BYTES, BLOCK_ROWS, Blocks, BlockSource
from client.backfill.inputs.columns import ColumnPlan, plan_columns
from client.backfill.inputs.conversion import fit_rows
from client.backfill.inputs.decoding import Refused, decode_rows
from client.backfill.inputs.fingerprint import file_fingerprint
from client.backfill.inputs.options import ReadOptions
from client.backfill.inputs.picture_rows import picture_rows
from client.backfill.inputs.text_lines import unreadable
from client.errors import InputError
from client.npy import Array
from client.tensor_fit import STRING

#: So much of a column's chunk is read at once; by default pyarrow holds the whole chunk, which has no limit.
_READ_AHEAD_BYTES = 1 << 20

#: Rows that are read at once where nothing but reading them tells their sizes: pictures, and inputs of any shape.
_UNMEASURED_ROWS = 16


def open_parquet(path: Path, fit: Fit, options: ReadOptions) -> BlockSource:
    """A Parquet file as a source. Going to a position skips the row groups before it.

    Raises:
        InputError: It cannot be read, or lacks a column.
    """
    try:
        with pq.ParquetFile(path) as file:
            schema: pa.Schema = file.schema_arrow
            total_rows: int = file.metadata.num_rows
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from None
    pictures = [field.name for field in schema if is_text_or_bytes(field.type) or pa.types.is_struct(field.type)]
    plan = plan_columns(schema.names, fit, options.id_column, str(path), pictures)
    if plan.id is not None and not _is_key(schema.types[plan.id]):
        raise InputError(f"{path}: expected whole numbers or strings as ids, found {schema.types[plan.id]}.")
    table = ParquetTable(path, fit, options, schema.names, plan)
    keys = None if plan.id is None else table.keys
    return BlockSource(file_fingerprint(path), total_rows, plan.notes(), table.blocks, keys)


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file whose footer was read."""

    path: Path
    fit: Fit
    options: ReadOptions
    names: list[str]
    plan: ColumnPlan

    def blocks(self, position: int) -> Blocks:
        """The rows from a position on."""
        columns = [column for columns in self.plan.inputs.values() for column in columns]
        columns += [column for column in (self.plan.picture, self.plan.id) if column is not None]
        for batch in self._batches(position, columns, self._batch_rows()):
            keys = self._keys(position, batch)
            if self.plan.picture is None:
                yield decode_rows(position, keys, Decoding(self, batch).rows)
            else:
                pictures = batch.column(self.names[self.plan.picture]).to_pylist()
                yield from picture_rows(position, keys, pictures, self.options.folder_of(self.path))
            position += batch.num_rows

    def keys(self) -> Iterator[str]:
        """The keys of all rows, where there are ids."""
        position = 0
        for batch in self._batches(0, [column for column in (self.plan.id,) if column is not None], BLOCK_ROWS):
            yield from self._keys(position, batch)
            position += batch.num_rows

    def _batches(self, position: int, columns: Sequence[int], rows: int) -> Iterator[pa.RecordBatch]:
        names = [self.names[column] for column in columns]
        try:
            with pq.ParquetFile(
                self.path, buffer_size=_READ_AHEAD_BYTES, pre_buffer=False, page_checksum_verification=True
            ) as file:
                groups, skipped = _groups_from(file.metadata, position)
                for batch in file.iter_batches(rows, groups, names, use_threads=False):
                    if skipped < batch.num_rows:
                        yield batch.slice(skipped)
                    skipped = max(0, skipped - batch.num_rows)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from None

    def _batch_rows(self) -> int:
        row_bytes = [_row_bytes(spec) for spec in self.fit.inputs.values()]
        if self.plan.picture is not None or not all(row_bytes):
            return _UNMEASURED_ROWS
        return max(1, min(BLOCK_ROWS, BLOCK_BYTES // sum(row_bytes)))

    def _keys(self, first: int, batch: pa.RecordBatch) -> list[str]:
        if self.plan.id is None:
            return list(map(str, range(first, first + batch.num_rows)))
        ids = batch.column(self.names[self.plan.id]).to_pylist()
        return [_key(position, value) for position, value in enumerate(ids, first)]

    def input(self, name: str, batch: pa.RecordBatch) -> Array:
        """The rows of one input."""
        spec = self.fit.inputs[name]
        columns = [self.names[column] for column in self.plan.inputs[name]]
        if len(columns) == 1:
            return self._column(columns[0], spec, batch)
        scalar = RowSpec(spec.dtype, ())
        flat = np.stack([self._column(column, scalar, batch) for column in columns], axis=1)
        return fit_rows(flat, spec, f"Columns {columns[0]!r} to {columns[-1]!r}")

    def _column(self, column: str, spec: RowSpec, batch: pa.RecordBatch) -> Array:
        where = f"Column {column!r}"
        return fit_rows(array_of_column(batch.column(column), where), spec, where, self.options.round_floats)


@dataclass(frozen=True)
class Decoding:
    """The rows of one batch, on their way to what the model takes."""

    table: ParquetTable
    batch: pa.RecordBatch

    def rows(self, start: int, stop: int) -> Mapping[str, Array]:
        """Some of them."""
        part = self.batch.slice(start, stop - start)
        column = self.table.plan.id
        if column is not None and part.column(self.table.names[column]).null_count:
            raise Refused(f"Column {self.table.names[column]!r}: expected an id, found null.")
        return {name: self.table.input(name, part) for name in self.table.fit.inputs}


def _groups_from(metadata: pq.FileMetaData, position: int) -> tuple[list[int], int]:
    """The row groups from the one with the position on, and how many rows of it come before."""
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if position < rows:
            return list(range(group, metadata.num_row_groups)), position
        position -= rows
    return [], 0


def _row_bytes(spec: RowSpec) -> int:
    """How many bytes a row takes; 0 where it may have any number, as strings have."""
    return 0 if spec.dtype == STRING or spec.size is None else spec.size * np.dtype(spec.dtype).itemsize


def _is_key(kind: pa.DataType) -> bool:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_integer(plain) or is_text_or_bytes(plain)


def _key(position: int, value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return unread_key(position) if value is None else str(value)
