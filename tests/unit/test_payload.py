from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zipfile
from typing import Any

import numpy as np
import pytest

from model_store.errors import InvalidInput
from model_store.signature import Signature, TensorSpec
from tasks.payload import MAX_MEMBERS, NPY, NPZ, decode_arrays, encode_arrays, read_headers, write_npz

ONE = Signature({"images": TensorSpec("float32", (None, 8, 8))}, {})
TWO = Signature({"a": TensorSpec("float32", (None,)), "file": TensorSpec("string", (None,))}, {})
LIMIT_BYTES = 100_000


def npy(array: Any, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def test_one_array_travels_as_npy_and_several_as_npz() -> None:
    one = {"images": np.arange(128, dtype="float32").reshape(2, 8, 8)}
    content_type, data = encode_arrays(one)
    assert content_type == NPY
    assert read_headers(content_type, data, ONE, LIMIT_BYTES) == {"images": TensorSpec("float32", (2, 8, 8))}
    np.testing.assert_array_equal(decode_arrays(content_type, data, ONE)["images"], one["images"])
    two = {"a": np.zeros(2, "float32"), "file": np.array(["x", "yé"])}
    content_type, data = encode_arrays(two)
    assert content_type == NPZ
    assert read_headers(content_type, data, TWO, LIMIT_BYTES)["file"] == TensorSpec("string", (2,))
    assert decode_arrays(content_type, data, TWO)["file"].tolist() == ["x", "yé"]


def test_fortran_order_and_format_version_2_are_read() -> None:
    array = np.asfortranarray(np.arange(6, dtype="float32").reshape(2, 3))
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(2, 0))
    assert read_headers(NPY, buffer.getvalue(), ONE, LIMIT_BYTES)["images"].shape == (2, 3)
    np.testing.assert_array_equal(decode_arrays(NPY, buffer.getvalue(), ONE)["images"], array)


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (npy(np.array([{}], dtype=object), allow_pickle=True), "pickled Python objects"),
        (npy(np.zeros((2, 8, 8), "float32"))[:-1], "511 bytes"),
        (npy(np.zeros((2, 8, 8), "float32")) + b"x", "513 bytes"),
        (npy(np.zeros((2, 8, 8), "float32"))[:20], "a damaged one"),
        (b"", "a damaged one"),
        (b"\x93NUMPY\x09\x00", "a damaged one"),
        (npy(np.zeros(2, "datetime64[s]")), "dtype datetime64"),
        (npy(np.zeros(2, [("x", "f4")])), "dtype"),
    ],
)
def test_a_npy_that_cannot_be_used_is_refused_naming_field_and_reason(data: bytes, got: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_headers(NPY, data, ONE, LIMIT_BYTES)
    assert refusal.value.field == "inputs.images"
    assert got in refusal.value.got


@pytest.mark.parametrize(
    "header", [b"{'descr': (", b"{'descr': (), 'fortran_order': False, 'shape': (1,)}", b"-" * 9000 + b"1", b"[" * 5000]
)
def test_a_hostile_header_is_refused_like_a_damaged_one(header: bytes) -> None:
    data = b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header
    with pytest.raises(InvalidInput, match="a damaged one"):
        read_headers(NPY, data, ONE, LIMIT_BYTES)


def test_a_size_of_thousands_of_digits_is_refused() -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"9" * 4000 + b", " + b"9" * 4000 + b")}"
    data = b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header
    with pytest.raises(InvalidInput):
        read_headers(NPY, data, ONE, LIMIT_BYTES)


def test_a_compressed_npz_that_is_damaged_inside_is_refused() -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.arange(3000, dtype="float32"))
    whole = buffer.getvalue()
    for position in range(40, len(whole), 97):
        damaged = whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :]
        with contextlib.suppress(InvalidInput):
            read_headers(NPZ, damaged, TWO, LIMIT_BYTES)
        with contextlib.suppress(InvalidInput):
            decode_arrays(NPZ, damaged, TWO)


def test_an_archive_of_very_many_members_is_refused_before_objects_are_made_of_them() -> None:
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", *(20, 0, 20, 0), *[0] * 7, 1, *[0] * 6) + b"a"
    count = MAX_MEMBERS + 1
    data = entry * count + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(entry) * count, 0, 0)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.infolist()) == count
    with pytest.raises(InvalidInput, match=f"at most {MAX_MEMBERS} arrays"):
        read_headers(NPZ, data, TWO, LIMIT_BYTES)


def test_two_members_of_one_name_are_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings(action="ignore"):
        for value in (1.0, 2.0):
            archive.writestr("a.npy", npy(np.full(3, value, "float32")))
    with pytest.raises(InvalidInput, match="two of the same name"):
        read_headers(NPZ, buffer.getvalue(), TWO, LIMIT_BYTES)


def test_a_header_that_claims_more_than_there_is_costs_no_memory() -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)})
    with pytest.raises(InvalidInput, match="4000000000000 bytes of data"):
        read_headers(NPY, buffer.getvalue(), ONE, LIMIT_BYTES)


def test_a_npz_is_judged_by_its_unpacked_size_before_it_is_unpacked() -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.zeros(10**6, "float32"))
    assert len(buffer.getvalue()) < LIMIT_BYTES
    with pytest.raises(InvalidInput, match="at most 100000 bytes unpacked"):
        read_headers(NPZ, buffer.getvalue(), TWO, LIMIT_BYTES)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", write_npz({"a": np.zeros(3, "float32")})[:-30]])
def test_a_damaged_npz_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="damaged"):
        read_headers(NPZ, data, TWO, LIMIT_BYTES)


def test_a_member_that_is_no_array_is_refused_by_name() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", b"text")
    with pytest.raises(InvalidInput) as refusal:
        read_headers(NPZ, buffer.getvalue(), TWO, LIMIT_BYTES)
    assert refusal.value.field == "inputs.a"


def test_a_single_npy_for_a_model_of_two_inputs_is_refused_naming_them() -> None:
    with pytest.raises(InvalidInput, match="with the arrays a, file"):
        read_headers(NPY, npy(np.zeros(2, "float32")), TWO, LIMIT_BYTES)
