"""An array in a file, read by rows: `.npy`, or a member of an `.npz`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import numpy as np
from numpy.lib import format as npy_format

from client.backfill.inputs.text_lines import unreadable
from client.errors import InputError
from client.npy import Array

_READ_HEADER = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
_KINDS = "biufcSU"


@dataclass(frozen=True)
class ArrayHeader:
    """What an array in a file is: dtype, shape with rows on axis 0, and the order of its values."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran_order: bool

    @property
    def row_bytes(self) -> int:
        """How many bytes a row takes."""
        return self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))


class RowArray(Protocol):
    """An array whose rows are read in parts."""

    @property
    def header(self) -> ArrayHeader:
        """What it is."""

    def rows(self, start: int, stop: int) -> Array:
        """Some rows, in memory of their own."""

    def close(self) -> None:
        """Close its file."""


def read_header(file: IO[bytes], where: str) -> ArrayHeader:
    """The header of `.npy` (numpy.lib.format); the file is left at the first value.

    Raises:
        InputError: It is damaged, or holds what is no array of numbers, booleans or strings with rows.
    """
    try:
        version = npy_format.read_magic(file)
        if version == (3, 0):
            raise InputError(f"{where} has fields with names, which no model takes; expected one array.")
        shape, is_fortran_order, dtype = _READ_HEADER[version](file)
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise InputError(f"{where} is no .npy: {error}.") from None
    if dtype.hasobject:
        raise InputError(f"{where} holds pickled Python objects, which are never read; save numbers or strings.")
    if dtype.kind not in _KINDS:
        found = "fields with names" if dtype.names else f"dtype {dtype}"
        raise InputError(f"{where} has {found}; expected an array of numbers, booleans or strings.")
    if not shape or min(shape) < 0:
        raise InputError(f"{where} has the shape {shape}; expected an array with rows on axis 0.")
    return ArrayHeader(dtype, shape, bool(is_fortran_order))


@dataclass(frozen=True)
class MappedArray:
    """An array that lies in a file as it is; each part is mapped by itself, so that no more than it is held.

    Attributes:
        path: The file.
        offset: Where its first value is, in bytes.
        header: What it is.
    """

    path: Path
    offset: int
    header: ArrayHeader

    def rows(self, start: int, stop: int) -> Array:
        """Some rows, in memory of their own.

        Raises:
            InputError: The file is shorter than its header says.
        """
        if not self.header.row_bytes * (stop - start):
            return np.empty((stop - start, *self.header.shape[1:]), self.header.dtype)
        order: Literal["F", "C"] = "F" if self.header.is_fortran_order else "C"
        try:
            mapped = np.memmap(self.path, self.header.dtype, "r", self.offset, self.header.shape, order)
        except (OSError, ValueError) as error:
            raise unreadable(self.path, error) from None
        return np.array(mapped[start:stop], order="C")

    def close(self) -> None:
        """Nothing is open between two reads."""


def check_length(array: MappedArray) -> None:
    """Return when the file is long enough for all rows.

    Raises:
        InputError: It is not.
    """
    header = array.header
    expected = array.offset + header.row_bytes * header.shape[0]
    found = array.path.stat().st_size
    if found < expected:
        raise InputError(f"{array.path} is not complete: expected {expected} bytes for {header.shape}, found {found}.")
