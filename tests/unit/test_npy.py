from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from tasks.npy import decode_npy, encode_npy

ARRAYS = [
    np.arange(10, dtype="float32").reshape(1, 10),
    np.array(2.5),
    np.zeros((0, 4), "int8"),
    np.array([True, False]),
    np.array(["x", "yé"]),
    np.array([b"x", b"yz"]),
    np.array([""]),
    np.arange(4, dtype=">i4"),
    np.array([1 + 2j], "complex64"),
    np.arange(12, dtype="uint16").reshape(3, 4).T,
    np.arange(10, dtype="float16")[::2],
]


def saved(array: Any, version: tuple[int, int] = (1, 0), allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=version, allow_pickle=allow_pickle)
    return buffer.getvalue()


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype.str}{array.shape}")
def test_an_array_is_written_as_numpy_writes_it_and_read_back(array: np.ndarray[Any, Any]) -> None:
    assert encode_npy(array) == saved(np.ascontiguousarray(array).reshape(array.shape))
    for data in (encode_npy(array), saved(array), saved(array, version=(2, 0))):
        back = decode_npy(data)
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(back, array)


def test_python_objects_are_neither_written_nor_read() -> None:
    with pytest.raises(ValueError, match="not of Python objects"):
        encode_npy(np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        decode_npy(saved(np.array([{}], dtype=object), allow_pickle=True))


@pytest.mark.parametrize("cut", [0, 3, 9, 40, -1, -4])
def test_a_truncated_npy_is_refused_also_when_its_header_is_known(cut: int) -> None:
    whole = encode_npy(np.ones((2, 3), "float32"))
    decode_npy(whole)
    with pytest.raises((ValueError, EOFError)):
        decode_npy(whole[:cut])


@pytest.mark.parametrize("shape", [b"(-1,)", b"(-2, -3)", b"(7,)", b"(1000000, 1000000)", b"(2.0, 3)", b"6"])
def test_a_shape_that_is_not_that_of_the_data_is_refused(shape: bytes) -> None:
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + b"}"
    with pytest.raises((ValueError, MemoryError)):
        decode_npy(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(24))


def test_an_array_that_begins_at_an_odd_address_is_copied_to_an_even_one() -> None:
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}"
    odd = text + b" " * (1 - len(text) % 2)
    back = decode_npy(b"\x93NUMPY\x01\x00" + len(odd).to_bytes(2, "little") + odd + np.ones(2).tobytes())
    assert back.flags.aligned
    assert back.tolist() == [1, 1]
