"""numpy's arrays as `.npy` and `.npz` bytes and back. Pickled objects are neither written nor read.

Formats: numpy.lib.format; a `.npz` is a zip archive of `.npy` members. Strings that end in a zero byte, which numpy's
own types for strings would lose, travel as an array with the fields `length` and `bytes`, see docs/models.md.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from client.errors import InputError

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

_LENGTH, _BYTES = "length", "bytes"


def encode_npy(array: Array) -> bytes:
    """An array of numbers, text or bytes as a `.npy` file's bytes.

    Raises:
        InputError: It holds other Python objects.
    """
    plain = pack_strings(array) if array.dtype.hasobject else array
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, plain, allow_pickle=False)
    return buffer.getvalue()


def encode_npz(arrays: Mapping[str, Array]) -> bytes:
    """Arrays by name as an uncompressed `.npz` file's bytes; any name is fine, unlike for `numpy.savez`.

    Raises:
        InputError: One holds Python objects other than strings.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), encode_npy(array))
    return buffer.getvalue()


def decode_npz(content: bytes) -> dict[str, Array]:
    """The arrays of a `.npz` file's bytes by name, in their order.

    Raises:
        ValueError, zipfile.BadZipFile, or what else numpy.load raises for damaged bytes.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: unpack_strings(archive[name]) for name in archive.files}


def pack_strings(array: Array) -> Array:
    """An array of `str` or `bytes` objects as one of bytes; text as UTF-8, a quarter of the size of numpy's own.

    Raises:
        InputError: It holds other objects, or text that UTF-8 cannot say.
    """
    items = array.ravel().tolist()
    if not all(isinstance(item, str | bytes) for item in items):
        raise InputError("An array of Python objects is expected to hold text or bytes alone; convert it to numbers.")
    try:
        encoded = [item.encode() if isinstance(item, str) else item for item in items]
    except UnicodeEncodeError:
        raise InputError("A text holds half of a surrogate pair, which UTF-8 cannot say.") from None
    width = max((len(item) for item in encoded), default=0) or 1
    plain = np.array(encoded, dtype=f"S{width}").reshape(array.shape)
    if not any(item.endswith(b"\0") for item in encoded):
        return plain
    packed = np.empty(array.shape, [(_LENGTH, "<i8"), (_BYTES, plain.dtype)])
    packed[_LENGTH] = np.array([len(item) for item in encoded]).reshape(array.shape)
    packed[_BYTES] = plain
    return packed


def unpack_strings(array: Array) -> Array:
    """The reverse for arrays with the two fields, as an array of `bytes` objects; other arrays as they are."""
    if array.dtype.names != (_LENGTH, _BYTES):
        return array
    strings = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        entry = array[index]
        strings[index] = bytes(entry[_BYTES]).ljust(int(entry[_LENGTH]), b"\0")
    return strings
