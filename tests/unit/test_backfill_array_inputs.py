"""`.npy` and `.npz`: what numpy writes comes back, from any position, in the dtype that the model takes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from client.backfill.chunk import RowChunk
from client.backfill.fit import Fit, RowSpec
from client.backfill.inputs.opening import open_source
from client.backfill.inputs.options import ReadOptions
from client.errors import InputError
from tests.backfill_inputs import TWO, VECTOR, array_of, keys_of, read_all, refusals_of, rows_of

SAVED = {
    "rows.npy": lambda path, array: np.save(path, array),
    "fortran.npy": lambda path, array: np.save(path, np.asfortranarray(array)),
    "rows.npz": lambda path, array: np.savez(path, x=array),
    "fortran.npz": lambda path, array: np.savez(path, x=np.asfortranarray(array)),
    "packed.npz": lambda path, array: np.savez_compressed(path, x=array),
    "unnamed.npz": lambda path, array: np.savez(path, array),
}


def fit_of(dtype: str, *shape: int | None) -> Fit:
    return Fit("m", {"x": RowSpec(dtype, shape)})


@pytest.mark.parametrize("name", SAVED)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_what_numpy_saves_comes_back_from_any_position(tmp_path: Path, name: str, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["float32", "float64", ">f4", "uint8", "int64", "bool", "complex64", "float16"]))
    shape = data.draw(hnp.array_shapes(max_dims=4, max_side=20))
    array = data.draw(hnp.arrays(dtype, shape))
    SAVED[name](tmp_path / name, array)
    position = data.draw(st.integers(0, len(array)))

    source = open_source(str(tmp_path / name), fit_of(np.dtype(dtype).name, *shape[1:]))
    rows = read_all(source, position, data.draw(st.integers(1, 30)), data.draw(st.integers(1, 4096)))

    assert source.total_rows == len(array)
    assert keys_of(rows) == [str(row) for row in range(position, len(array))]
    if position < len(array):
        read = array_of(rows)
        assert read.dtype == np.dtype(dtype).newbyteorder("=")
        np.testing.assert_array_equal(read, array[position:])


@pytest.mark.parametrize(
    ("found", "expected"),
    [("uint8", "float32"), ("int64", "uint8"), ("float64", "float32"), ("float64", "int32"), ("bool", "float32")],
)
def test_values_that_the_models_dtype_holds_exactly_are_converted(tmp_path: Path, found: str, expected: str) -> None:
    np.save(tmp_path / "x.npy", np.array([[0, 1, 0, 1]] * 3, found))
    read = array_of(read_all(open_source(str(tmp_path / "x.npy"), fit_of(expected, 4))))
    assert read.dtype == expected
    np.testing.assert_array_equal(read, [[0, 1, 0, 1]] * 3)


@pytest.mark.parametrize(
    ("value", "found", "expected"),
    [
        (0.1, "float64", "float32"),
        (1e300, "float64", "float32"),
        (2**24 + 1, "int64", "float32"),
        (256, "int64", "uint8"),
        (-1, "int64", "uint64"),
        (2**63, "uint64", "int64"),
        (1.5, "float64", "int32"),
        (np.nan, "float64", "int32"),
        (np.inf, "float32", "int64"),
        (2.0**63, "float64", "int64"),
        (2.0**64, "float64", "uint64"),
    ],
)
def test_a_row_with_a_value_that_would_change_is_refused_and_the_others_are_not(
    tmp_path: Path, value: float, found: str, expected: str
) -> None:
    array = np.ones((50, 4), found)
    array[17, 2] = value
    np.save(tmp_path / "x.npy", array)
    rows = read_all(open_source(str(tmp_path / "x.npy"), fit_of(expected, 4)))
    assert list(refusals_of(rows)) == [17]
    assert "x.npy" in refusals_of(rows)[17]
    assert f"expected {expected} of shape (4,)" in refusals_of(rows)[17]
    assert f"found the {found} {np.array(value, found).item()}" in refusals_of(rows)[17]
    assert len(rows_of(rows, "x")) == 49


def test_floats_are_rounded_where_that_is_allowed_but_never_to_infinity(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[0.1] * 4, [np.inf] * 4, [np.nan] * 4, [1e300] * 4]))
    rows = read_all(open_source(str(tmp_path / "x.npy"), VECTOR, ReadOptions(round_floats=True)))
    np.testing.assert_array_equal(array_of(rows), np.array([[0.1] * 4, [np.inf] * 4, [np.nan] * 4], "float32"))
    assert list(refusals_of(rows)) == [3]


def test_an_array_of_which_no_row_can_fit_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((20, 4), 0.1))
    with pytest.raises(InputError, match=r"None of the first 20 rows fits model 'digits'.*float32.*--round-floats"):
        open_source(str(tmp_path / "x.npy"), VECTOR)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((3, 5), "float32"), r"expected float32 of shape \(4,\) in each row, found float32 of shape \(5,\)"),
        (np.zeros(4, "float32"), r"found float32 of shape \(\)"),
        (np.zeros((3, 4), "complex64"), "found complex64"),
        (np.array([["a"] * 4]), "found string"),
        (np.zeros((3, 4), "datetime64[s]"), "expected an array of numbers, booleans or strings"),
        (np.zeros(3, [("x", "f4"), ("y", "f4")]), "fields with names"),
        (np.float32(1), "expected an array with rows on axis 0"),
    ],
)
def test_an_array_of_another_kind_or_shape_is_refused_with_what_was_expected_and_found(
    tmp_path: Path, array: np.ndarray[Any, Any], sentence: str
) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(InputError, match=sentence):
        open_source(str(tmp_path / "x.npy"), VECTOR)


def test_pickled_objects_are_refused_and_never_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[1, "a"]], object), allow_pickle=True)
    with pytest.raises(InputError, match="pickled Python objects, which are never read"):
        open_source(str(tmp_path / "x.npy"), VECTOR)


def test_flat_rows_get_the_models_shape(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(36, dtype="float32").reshape(3, 12))
    read = array_of(read_all(open_source(str(tmp_path / "x.npy"), fit_of("float32", 2, 3, 2))))
    np.testing.assert_array_equal(read, np.arange(36).reshape(3, 2, 3, 2))


def test_several_inputs_and_ids_come_from_the_members_of_an_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.arange(3), b=np.array(["ä", "b", ""]), name=np.array(["k", "l", "m"]), c=[1])
    source = open_source(str(tmp_path / "x.npz"), TWO, ReadOptions(id_column="name"))
    rows = read_all(source)
    assert keys_of(rows) == ["k", "l", "m"]
    assert rows_of(rows, "a") == [0, 1, 2]
    assert rows_of(rows, "b") == ["ä".encode(), b"b", b""]
    assert source.notes == ["Not used: c."]


def test_an_id_that_stands_in_two_rows_is_refused_with_both(tmp_path: Path) -> None:
    ids = np.arange(100_000)
    ids[70_000] = 17
    np.savez(tmp_path / "x.npz", x=np.zeros((100_000, 4), "float32"), ids=ids)
    with pytest.raises(InputError, match="'17' stands in row 17 and in row 70000"):
        open_source(str(tmp_path / "x.npz"), VECTOR, ReadOptions(id_column="ids"))


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"a": np.arange(3)}, "no array for input 'b' of model 'pair': expected the names a, b, found a"),
        ({"a": np.arange(3), "b": np.array(["x"] * 4)}, "same number of rows in each array, found 3 in .*, 4 in"),
    ],
)
def test_members_that_are_missing_or_differ_in_rows_are_refused(
    tmp_path: Path, members: dict[str, Any], sentence: str
) -> None:
    np.savez(tmp_path / "x.npz", **members)
    with pytest.raises(InputError, match=sentence):
        open_source(str(tmp_path / "x.npz"), TWO)


def test_one_npy_for_a_model_of_two_inputs_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(3))
    with pytest.raises(InputError, match=r"model 'pair' has the inputs a, b; save them together as \.npz"):
        open_source(str(tmp_path / "x.npy"), TWO)


def test_a_compressed_array_in_fortran_order_is_refused_with_what_to_do(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=np.asfortranarray(np.ones((3, 4), "float32")))
    with pytest.raises(InputError, match=r"np\.ascontiguousarray, or uncompressed"):
        open_source(str(tmp_path / "x.npz"), VECTOR)


def saved(save: Any, **arrays: Any) -> bytes:
    file = io.BytesIO()
    save(file, *arrays.values()) if save is np.save else save(file, **arrays)
    return file.getvalue()


X = np.arange(40_000, dtype="float32").reshape(10_000, 4)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.npy", b""),
        ("x.npy", b"\x93NUMPY"),
        ("x.npy", b"\x93NUMPY\x03\x00" + b"x" * 100),
        ("x.npy", saved(np.save, x=X)[:-1]),
        ("x.npy", b"GIF89a" + b"x" * 1000),
        ("x.npz", b""),
        ("x.npz", saved(np.savez, x=X)[:-1000]),
        ("x.npz", b"PK\x03\x04" + b"x" * 1000),
        ("x.npz", saved(np.savez_compressed, x=X)[:-1000]),
    ],
)
def test_a_damaged_file_is_refused_with_its_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        open_source(str(tmp_path / name), VECTOR)


def test_a_compressed_member_that_is_damaged_in_the_middle_stops_with_a_sentence_after_its_good_rows(
    tmp_path: Path,
) -> None:
    content = bytearray(saved(np.savez_compressed, x=np.random.default_rng(0).random((200_000, 4), "float32")))
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "x.npz").write_bytes(content)
    source = open_source(str(tmp_path / "x.npz"), VECTOR)
    reader = source.read(0)
    rows = 0
    with pytest.raises(InputError, match=r"x\.npz cannot be read"):
        while portion := reader.next(1000, 1 << 20):
            rows += sum(len(row) for row in portion if isinstance(row, RowChunk))
    assert rows > 50_000


def test_a_file_that_is_cut_while_it_is_read_stops_with_a_sentence(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((100_000, 4), "float32"))
    reader = open_source(str(tmp_path / "x.npy"), VECTOR).read(0)
    assert reader.next(10, 1 << 20)
    with (tmp_path / "x.npy").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(InputError, match=r"x\.npy cannot be read"):
        while reader.next(1000, 1 << 20):
            pass


def test_an_array_without_rows_is_an_input_without_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((0, 4), "float32"))
    source = open_source(str(tmp_path / "x.npy"), VECTOR)
    assert source.total_rows == 0
    assert read_all(source) == []


def test_a_portion_has_no_more_bytes_than_asked_for_but_always_a_row(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((100, 4), "float32"))
    source = open_source(str(tmp_path / "x.npy"), VECTOR)
    reader = source.read(0)
    assert [len(row.keys) for row in reader.next(50, 100) if isinstance(row, RowChunk)] == [6]
    assert [len(row.keys) for row in reader.next(50, 1) if isinstance(row, RowChunk)] == [1]
