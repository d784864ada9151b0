"""The output as Parquet: a column `id` and one for each output, or one with a JSON document a row.

Tensors are nested lists, of fixed sizes where all rows have the same shape; complex numbers are pairs. Needs pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from client.backfill.answers import ID
from client.backfill.output_files import OutputFiles
from client.backfill.outputs.spool import BlockColumn, blocks
from client.backfill.outputs.spool_columns import TEXT, ColumnPart, decode_array, decode_strings
from client.backfill.outputs.spool_layout import ColumnLayout, read_layout
from client.backfill.outputs.spooled_output import SpooledOutput
from client.npy import Array

#: A row group is written when it has this many rows or bytes: what a reader, and we, hold in memory at a time.
_GROUP_ROWS = 1 << 16
_GROUP_BYTES = 16 << 20


def parquet_output(files: OutputFiles, position: Mapping[str, Any] | None) -> SpooledOutput:
    """Rows spooled, and in the end a Parquet file."""
    return SpooledOutput(files, position, assemble_parquet, takes_documents=True)


def assemble_parquet(spool: BinaryIO, output: BinaryIO) -> None:
    """Write a spool's columns as those of a Parquet file; no more than a row group is in memory at a time."""
    layout = read_layout(spool)
    schema = pa.schema([pa.field(column.name, _type(column), nullable=False) for column in layout])
    # Numbers and keys hardly ever repeat; names of classes do.
    names = [column.name for column in layout if column.dtype == TEXT and not column.dimensions and column.name != ID]
    with pq.ParquetWriter(output, schema, use_dictionary=names) as writer:
        for group in _groups(spool):
            writer.write_table(pa.table([_chunks(group, column, spool) for column in layout], schema))


def _groups(spool: BinaryIO) -> Iterator[list[Mapping[str, BlockColumn]]]:
    """Blocks that make a row group together."""
    group: list[Mapping[str, BlockColumn]] = []
    rows = size = 0
    for block in blocks(spool):
        group.append(block)
        rows += next(iter(block.values())).rows
        size += sum(column.lengths_bytes + column.content_bytes for column in block.values())
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield group
            group, rows, size = [], 0, 0
    if group:
        yield group


def _chunks(group: list[Mapping[str, BlockColumn]], column: ColumnLayout, spool: BinaryIO) -> pa.ChunkedArray:
    arrow_type = _type(column)
    parts = (block[column.name].read(spool) for block in group)
    return pa.chunked_array([_rows(part, column, arrow_type) for part in parts], arrow_type)


def _type(column: ColumnLayout) -> pa.DataType:
    if column.is_strings:
        arrow_type = pa.string() if column.dtype == TEXT else pa.binary()
    else:
        dtype = np.dtype(column.dtype)
        # Arrow has no complex numbers.
        arrow_type = pa.list_(pa.from_numpy_dtype(_part(dtype)), 2) if dtype.kind == "c" else pa.from_numpy_dtype(dtype)
    for size in reversed(column.shape if column.shape is not None else (-1,) * column.dimensions):
        # Readers stumble over fixed lists of nothing.
        arrow_type = pa.list_(arrow_type, size or -1)
    return arrow_type


def _part(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"<f{dtype.itemsize // 2}")


def _rows(part: ColumnPart, column: ColumnLayout, arrow_type: pa.DataType) -> pa.Array:
    """A part of a column as Arrow has it: flat values, and lists around them, the innermost first."""
    types = [arrow_type]
    for _ in range(column.dimensions):
        types.append(types[-1].value_type)
    values = _values(part, column, types.pop())
    for axis in range(column.dimensions - 1, -1, -1):
        lists = part.rows * int(np.prod(part.kind.shape[:axis], dtype=np.int64))
        values = _lists(values, lists, part.kind.shape[axis], types[axis])
    return values


def _lists(values: pa.Array, lists: int, size: int, arrow_type: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_list(arrow_type):
        return pa.FixedSizeListArray.from_arrays(values, type=arrow_type)
    offsets = pa.array(np.arange(lists + 1, dtype=np.int32) * size)
    return pa.ListArray.from_arrays(offsets, values, type=arrow_type)


def _values(part: ColumnPart, column: ColumnLayout, arrow_type: pa.DataType) -> pa.Array:
    if column.dtype == TEXT:
        return pa.array([_valid(text) for text in decode_strings(part)], arrow_type)
    if column.is_strings:
        return pa.array(decode_strings(part), arrow_type)
    numbers: Array = decode_array(part).astype(column.dtype, copy=False).ravel()
    if numbers.dtype.kind == "c":
        return pa.FixedSizeListArray.from_arrays(pa.array(numbers.view(_part(numbers.dtype))), type=arrow_type)
    return pa.array(numbers, arrow_type)


def _valid(text: bytes) -> str:
    """Text as Parquet may have it: halves of surrogate pairs, as in file names that are no UTF-8, are escaped."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="surrogatepass").encode(errors="backslashreplace").decode()
