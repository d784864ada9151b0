"""The output as `.npz`: a member `id` and one for each output, rows on axis 0, as `numpy.load` reads them.

An output whose rows have different shapes is one long member with all values, row by row, and a member `NAME.shapes`
that has each row's. Strings that end in zero bytes come as in the API's results: with the fields `length` and `bytes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from client.backfill.output_files import OutputFiles
from client.backfill.outputs.spool import blocks
from client.backfill.outputs.spool_columns import TEXT, ColumnPart, decode_array, decode_strings
from client.backfill.outputs.spool_layout import ColumnLayout, read_layout
from client.backfill.outputs.spooled_output import SpooledOutput
from client.npy import Array

#: Owner may read and write, where an archive's rights are those of its members.
_MEMBER_RIGHTS = 0o600 << 16
_SHAPE = np.dtype("<i8")


def npz_output(files: OutputFiles, position: Mapping[str, Any] | None) -> SpooledOutput:
    """Rows spooled, and in the end an `.npz`; it has no documents."""
    return SpooledOutput(files, position, assemble_npz, takes_documents=False)


def assemble_npz(spool: BinaryIO, output: BinaryIO) -> None:
    """Write a spool's columns as the members of an `.npz`; no more than a block is in memory at a time."""
    with ZipFile(output, "w", ZIP_STORED) as archive:
        for column in read_layout(spool):
            if column.shape is None:
                _write_flat(archive, spool, column)
            else:
                _write_rows(archive, spool, column, (column.rows, *column.shape))


def _write_flat(archive: ZipFile, spool: BinaryIO, column: ColumnLayout) -> None:
    _write_rows(archive, spool, column, (column.values,))
    shape = (column.rows, column.dimensions)
    with _member(archive, f"{column.name}.shapes", _SHAPE, shape) as member:
        for block in blocks(spool):
            part = block[column.name]
            member.write(np.tile(np.array(part.kind.shape, _SHAPE), (part.rows, 1)).tobytes())


def _write_rows(archive: ZipFile, spool: BinaryIO, column: ColumnLayout, shape: tuple[int, ...]) -> None:
    dtype = _dtype(column)
    convert = _conversion(column, dtype)
    with _member(archive, column.name, dtype, shape) as member:
        for block in blocks(spool):
            member.write(convert(block[column.name].read(spool)).tobytes())


@contextmanager
def _member(archive: ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Iterator[IO[bytes]]:
    # A fixed date: the same rows give the same file.
    info = ZipInfo(f"{name}.npy")
    info.external_attr = _MEMBER_RIGHTS
    with archive.open(info, "w", force_zip64=True) as member:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        yield member


def _dtype(column: ColumnLayout) -> np.dtype[Any]:
    """The member's: that of the output, and for strings one as long as the longest."""
    if not column.is_strings:
        return np.dtype(column.dtype)
    if column.dtype == TEXT:
        return np.dtype(f"<U{column.most_characters or 1}")
    plain = np.dtype(f"S{column.most_bytes or 1}")
    return np.dtype([("length", "<i8"), ("bytes", plain)]) if column.has_trailing_zeros else plain


def _conversion(column: ColumnLayout, dtype: np.dtype[Any]) -> Callable[[ColumnPart], Array]:
    if not column.is_strings:
        return lambda part: decode_array(part).astype(dtype, copy=False)
    if column.dtype == TEXT:
        return lambda part: np.array([text.decode(errors="surrogatepass") for text in decode_strings(part)], dtype)
    if dtype.names:
        return lambda part: np.array([(len(string), string) for string in decode_strings(part)], dtype)
    return lambda part: np.array(decode_strings(part), dtype)
