"""One array as `.npy` bytes and back, without numpy's detour over a file, which costs ten times as much.

Format: numpy.lib.format, version 1.0 for what is written; other versions and orders are left to numpy's own reader.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from model_store.byte_strings import pack

#: A magic string and version 1.0, then the length of the header's text as two bytes, little-endian.
_MAGIC = b"\x93NUMPY\x01\x00"
_LENGTH = slice(8, 10)
_TEXT_OFFSET = 10

#: numpy refuses a longer header's text (numpy.lib.format, `max_header_size`), so the caches stay small.
_HEADERS_KEPT = 256


class _Layout(NamedTuple):
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_plain: bool  #: the bytes after the header are the array, in C order


def encode_npy(array: np.ndarray[Any, Any]) -> bytes:
    """An array of numbers or strings as `.npy`, in C order; objects of `bytes` as `byte_strings.pack` has them.

    Raises:
        ValueError: it holds other Python objects, which only pickle could write.
    """
    if array.dtype.hasobject:
        array = pack(array)
    return _header(array.dtype, array.shape) + array.tobytes()


def decode_npy(data: bytes) -> np.ndarray[Any, Any]:
    """The array of a `.npy`. It shares the memory of `data`, so it is read-only, where the layout allows.

    Raises:
        ValueError, or what numpy.load raises: pickled objects, a truncated or damaged file.
    """
    if data[: len(_MAGIC)] == _MAGIC:
        offset = _TEXT_OFFSET + int.from_bytes(data[_LENGTH], "little")
        dtype, shape, is_plain = _layout(data[:offset])
        if is_plain:
            array = np.frombuffer(data, dtype, offset=offset).reshape(shape)
            # Writers other than numpy may leave the data at an odd address, which not every library takes.
            return array if array.flags.aligned else array.copy()
    loaded: np.ndarray[Any, Any] = np.load(io.BytesIO(data), allow_pickle=False)
    return loaded


@lru_cache(_HEADERS_KEPT)
def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()


@lru_cache(_HEADERS_KEPT)
def _layout(header: bytes) -> _Layout:
    text = io.BytesIO(header)
    text.seek(len(_MAGIC))
    shape, in_fortran_order, dtype = np.lib.format.read_array_header_1_0(text)
    is_plain = not in_fortran_order and dtype.kind in "biufcSU" and dtype.itemsize > 0 and min(shape, default=0) >= 0
    return _Layout(dtype, shape, is_plain)
