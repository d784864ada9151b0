"""Single rows, as a program has them, put together to the payload of many. Nothing here talks to the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from client.errors import InputError
from client.input_file import picture_form
from client.inputs import encode, is_picture, is_picture_file
from client.npy import Array, encode_npy, encode_npz, pack_strings
from client.payload import NPY, NPZ, Payload
from client.tensor_fit import STRING, TensorFit, as_row

#: Rows with strings are sent apart before these padded to the longest take more than so many bytes, and so many times
#: what they have.
_PADDED_BYTES = 1024 * 1024
_PADDING = 4

#: A row as it is kept until it is sent: an array for each input, or a picture.
Row: TypeAlias = Mapping[str, Array] | Payload


class RowEncoder:
    """Reads the rows of one model.

    A row is an array without an axis for rows, or a value or lists of values; a mapping of those by input where there
    are several inputs; or a picture: its path, its bytes or PIL's. A text is the path of a picture, unless the model
    takes texts.

    Attributes:
        fits: What the model's inputs take, by name.
    """

    def __init__(self, fits: Mapping[str, TensorFit]) -> None:
        self.fits = fits
        self._takes_texts = any(fit.dtype == STRING for fit in fits.values())

    def read(self, given: Any) -> Row:
        """A row as it is kept.

        Raises:
            InputError: It is none.
        """
        if self._is_picture(given):
            return encode(given)
        if isinstance(given, Mapping):
            return {str(name): _array(value, self.fits.get(name)) for name, value in given.items()}
        if len(self.fits) != 1:
            raise InputError(
                f"The model has the inputs {', '.join(self.fits)}; a row is a mapping with a value for each."
            )
        (fit,) = self.fits.values()
        return {fit.name: _array(given, fit)}

    def _is_picture(self, given: Any) -> bool:
        if isinstance(given, Payload | Path) or is_picture(given):
            return True
        return not self._takes_texts and (isinstance(given, str) or is_picture_file(given))


def size_bytes(row: Row) -> int:
    """How much memory a row takes, in bytes."""
    return len(row.content) if isinstance(row, Payload) else sum(array.nbytes for array in row.values())


def groups(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows in their order, in groups that can be sent together: pictures, or arrays of one layout."""
    for _, group in groupby(rows, _layout):
        yield from _evenly(list(group))


def _evenly(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows whose strings are not much longer together, padded to the longest, than each for itself."""
    longest_bytes = max(map(size_bytes, rows))
    padded_bytes = longest_bytes * len(rows)
    if isinstance(rows[0], Payload) or padded_bytes <= max(_PADDED_BYTES, _PADDING * sum(map(size_bytes, rows))):
        yield rows
        return
    middle = len(rows) // 2
    yield from _evenly(rows[:middle])
    yield from _evenly(rows[middle:])


def join(rows: Sequence[Row]) -> Payload:
    """The payload of a group of rows."""
    pictures = [row for row in rows if isinstance(row, Payload)]
    if pictures:
        return picture_form(pictures)
    named = [row for row in rows if not isinstance(row, Payload)]
    arrays = {name: np.stack([row[name] for row in named]) for name in named[0]}
    if len(arrays) == 1:
        return Payload(encode_npy(next(iter(arrays.values()))), NPY)
    return Payload(encode_npz(arrays), NPZ)


def _layout(row: Row) -> Any:
    if isinstance(row, Payload):
        return None
    # Texts of different lengths have dtypes of their own, and numpy finds one for all.
    return tuple((name, a.shape, a.dtype.kind if a.dtype.kind in "SU" else a.dtype.str) for name, a in row.items())


def _array(value: Any, fit: TensorFit | None) -> Array:
    # numpy's own texts have that method too.
    if isinstance(value, str | bytes) or not hasattr(value, "__array__"):
        return as_row(value, fit)
    array = np.asarray(value)
    return pack_strings(array) if array.dtype.hasobject else array
