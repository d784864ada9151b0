"""A `.npz` file: an array for each input, under its name; read in parts, compressed or not."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from client.backfill.fit import Fit
from client.backfill.inputs.array_source import ArrayTable, StoredInput
from client.backfill.inputs.block_reader import BlockSource
from client.backfill.inputs.columns import listed
from client.backfill.inputs.fingerprint import file_fingerprint
from client.backfill.inputs.options import ReadOptions
from client.backfill.inputs.stored_array import ArrayHeader, MappedArray, check_length, read_header
from client.backfill.inputs.text_lines import unreadable
from client.errors import InputError
from client.npy import Array

#: numpy's name for the first array that was saved without one.
_UNNAMED = "arr_0"
_SUFFIX = ".npy"

#: The local file header (PKWARE's APPNOTE 4.3.7): its size, and where the lengths of name and extra field stand.
_LOCAL_HEADER_BYTES = 30
_LENGTHS_OFFSET = 26

_DISCARDED_BYTES = 1 << 20
_ENCRYPTED = 0x1
_ZIP_ERRORS = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error)


def open_npz(path: Path, fit: Fit, options: ReadOptions) -> BlockSource:
    """A `.npz` file as a source. Going to a position of a compressed member means to unpack what is before it.

    Raises:
        InputError: It cannot be read, is damaged, lacks a member or does not fit the model.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(_SUFFIX): info for info in archive.infolist()}
            names = _members_of_inputs(members, fit, path)
            inputs = {name: _stored(path, archive, members[member]) for name, member in names.items()}
            ids = None if options.id_column is None else _ids(path, archive, members, options.id_column)
    except _ZIP_ERRORS as error:
        raise unreadable(path, error) from None
    table = ArrayTable(fit, inputs, ids, options.round_floats)
    unused = [member for member in members if member not in (*names.values(), options.id_column)]
    notes = [f"Not used: {listed(unused)}."] if unused else []
    keys = None if ids is None else table.keys
    return BlockSource(file_fingerprint(path), table.check(), notes, table.blocks, keys)


class PackedArray:
    """A compressed member, unpacked from its beginning on; one row after another."""

    def __init__(self, path: Path, member: str, header: ArrayHeader) -> None:
        self.header = header
        self._path = path
        self._archive = zipfile.ZipFile(path)
        self._file: IO[bytes] = self._archive.open(member)
        read_header(self._file, f"{path}: {member}")
        self._row = 0

    def rows(self, start: int, stop: int) -> Array:
        """Some rows that come after all that were read before.

        Raises:
            InputError: The member is damaged or too short.
        """
        self._discard((start - self._row) * self.header.row_bytes)
        data = self._read((stop - start) * self.header.row_bytes)
        self._row = stop
        return np.frombuffer(data, self.header.dtype).reshape((stop - start, *self.header.shape[1:]))

    def close(self) -> None:
        """Close the archive."""
        self._file.close()
        self._archive.close()

    def _discard(self, count: int) -> None:
        while count:
            count -= len(self._read(min(count, _DISCARDED_BYTES)))

    def _read(self, count: int) -> bytes:
        try:
            data = self._file.read(count) if count else b""
        except _ZIP_ERRORS as error:
            raise unreadable(self._path, error) from None
        if len(data) < count:
            raise InputError(f"{self._path}: an array ends before its last row; the file is not complete.")
        return data


def _members_of_inputs(members: Mapping[str, zipfile.ZipInfo], fit: Fit, path: Path) -> dict[str, str]:
    if len(fit.inputs) == 1 and _UNNAMED in members and not fit.inputs.keys() & members.keys():
        return {name: _UNNAMED for name in fit.inputs}
    missing = [name for name in fit.inputs if name not in members]
    if missing:
        raise InputError(
            f"{path} has no array for input {missing[0]!r} of model {fit.model!r}: expected the names "
            f"{', '.join(fit.inputs)}, found {listed(list(members)) or 'none'}."
        )
    return {name: name for name in fit.inputs}


def _ids(path: Path, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str) -> StoredInput:
    if name not in members:
        raise InputError(f"{path} has no array {name!r} for the ids; found {listed(list(members))}.")
    return _stored(path, archive, members[name])


def _stored(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> StoredInput:
    where = f"{path}: {info.filename.removesuffix(_SUFFIX)}"
    with archive.open(info) as file:
        header = read_header(file, where)
        header_bytes = file.tell()
    if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & _ENCRYPTED:
        array = MappedArray(path, _data_offset(path, info) + header_bytes, header)
        check_length(array)
        return StoredInput(where, header, lambda: array)
    if header.is_fortran_order and len(header.shape) > 1:
        raise InputError(
            f"{where} is compressed in Fortran order, where no row stands by itself; save it with "
            "np.ascontiguousarray, or uncompressed."
        )
    return StoredInput(where, header, partial(PackedArray, path, info.filename, header))


def _data_offset(path: Path, info: zipfile.ZipInfo) -> int:
    with path.open("rb") as file:
        file.seek(info.header_offset + _LENGTHS_OFFSET)
        lengths: tuple[int, int] = struct.unpack("<HH", file.read(4))
    return info.header_offset + _LOCAL_HEADER_BYTES + sum(lengths)
