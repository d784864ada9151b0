"""Parquet: what pyarrow writes comes back, whatever the row groups, without a row looked at in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from client.backfill.fit import Fit, RowSpec
from client.backfill.inputs.opening import open_source
from client.backfill.inputs.options import ReadOptions
from client.errors import InputError
from tests.backfill_inputs import PICTURE, TWO, VECTOR, array_of, keys_of, pictures_of, read_all, refusals_of, rows_of

PNG = b"\x89PNG\r\n\x1a\n and so on"


def fit_of(dtype: str, *shape: int | None) -> Fit:
    return Fit("m", {"x": RowSpec(dtype, shape)})


def save(folder: Path, row_group_size: int | None = None, **columns: Any) -> str:
    pq.write_table(pa.table(columns), folder / "x.parquet", row_group_size=row_group_size)
    return str(folder / "x.parquet")


def column_of(array: np.ndarray[Any, Any], form: str) -> Any:
    if form == "tensor":
        return pa.FixedShapeTensorArray.from_numpy_ndarray(array)
    column: Any = pa.array(array.ravel())
    for size in reversed(array.shape[1:]):
        if form == "fixed":
            column = pa.FixedSizeListArray.from_arrays(column, size)
        else:
            kind = pa.ListArray if form == "list" else pa.LargeListArray
            offsets = np.arange(0, len(column) + 1, size, "int32" if form == "list" else "int64")
            column = kind.from_arrays(offsets, column)
    return column


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_arrays_come_back_from_any_position(tmp_path: Path, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["float32", "float64", "float16", "uint8", "int64"]))
    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=4, max_side=12)))
    form = data.draw(st.sampled_from(["list", "large list", "fixed", "tensor"]))
    position = data.draw(st.integers(0, len(array)))
    name = save(tmp_path, data.draw(st.integers(1, 12)), x=column_of(array, form))

    source = open_source(name, fit_of(dtype, *array.shape[1:]))
    rows = read_all(source, position)

    assert source.total_rows == len(array)
    assert keys_of(rows) == [str(row) for row in range(position, len(array))]
    if position < len(array):
        np.testing.assert_array_equal(array_of(rows), array[position:])


def test_scalar_columns_numbered_columns_and_strings_come_back(tmp_path: Path) -> None:
    name = save(
        tmp_path, 2, a=pa.array([1, 2, 3], pa.int64()), b=pa.array(["ä", "", "c"]).dictionary_encode(), c=[0, 0, 0]
    )
    source = open_source(name, TWO)
    rows = read_all(source)
    assert rows_of(rows, "a") == [1, 2, 3]
    assert rows_of(rows, "b") == ["ä".encode(), b"", b"c"]
    assert source.notes == ["Not used: c."]
    numbered = save(tmp_path, **{f"x.{number}": [number, 10.0 + number] for number in (3, 1, 0, 2)})
    assert array_of(read_all(open_source(numbered, VECTOR))).tolist() == [[0, 1, 2, 3], [10, 11, 12, 13]]


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        ([[1, 2, 3, 4], None], pa.list_(pa.float32()), "Column 'x': expected a value, found null."),
        ([[1, 2, 3, 4], [1, 2, None, 4]], pa.list_(pa.float32()), "Column 'x': expected a value, found null."),
        ([[1, 2, 3, 4], None], pa.list_(pa.float32(), 4), "Column 'x': expected a value, found null."),
        (
            [[1, 2, 3, 4], [1, 2]],
            pa.list_(pa.float32()),
            "expected float32 of shape (4,) in each row, found float32 of shape (2,)",
        ),
        (
            [[1, 2, 3, 4], [1, 2, 3, 0.1]],
            pa.list_(pa.float64()),
            "found the float64 0.1, which float32 does not hold exactly",
        ),
    ],
)
def test_a_row_that_does_not_fit_is_refused_alone(tmp_path: Path, values: list[Any], kind: Any, reason: str) -> None:
    good, bad = values
    name = save(tmp_path, 5, x=pa.array([good] * 12 + [bad] + [good] * 12, kind))
    rows = read_all(open_source(name, VECTOR))
    assert list(refusals_of(rows)) == [12]
    assert reason in refusals_of(rows)[12]
    assert len(rows_of(rows, "x")) == 24


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (pa.array(["a", "b"]), r"expected float32 of shape \(4,\) in each row"),
        (
            pa.array([1, 2], pa.timestamp("s")),
            r"Column 'x': expected numbers, booleans or strings, found timestamp",
        ),
        (pa.array([{"a": 1}, {"a": 2}]), "expected numbers, booleans or strings, found struct"),
        (pa.array([[1, 2, 3], [1, 2, 3]]), r"found int64 of shape \(3,\)"),
        (pa.array([None, None]), "None of the first 2 rows fits"),
    ],
)
def test_a_column_of_which_no_row_fits_is_refused_before_anything_is_sent(
    tmp_path: Path, column: Any, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        open_source(save(tmp_path, x=column), VECTOR)


def test_ids_come_from_a_column_and_must_be_unique_and_there(tmp_path: Path) -> None:
    name = save(tmp_path, 1, x=[1.0, 2.0, 3.0], key=pa.array([7, None, 9]))
    rows = read_all(open_source(name, fit_of("float32"), ReadOptions(id_column="key")))
    assert keys_of(rows) == ["7", "row 1", "9"]
    assert refusals_of(rows) == {1: "Column 'key': expected an id, found null."}
    with pytest.raises(InputError, match="'7' stands in row 0 and in row 2"):
        repeated = save(tmp_path, x=[1.0, 2.0, 3.0], key=["7", "8", "7"])
        open_source(repeated, fit_of("float32"), ReadOptions(id_column="key"))
    with pytest.raises(InputError, match="expected whole numbers or strings as ids, found double"):
        open_source(save(tmp_path, x=[1.0], key=[0.5]), fit_of("float32"), ReadOptions(id_column="key"))


def test_pictures_come_as_bytes_as_structs_and_as_paths_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(PNG + b"2")
    structs = [
        {"bytes": PNG, "path": "gone.png"},
        {"bytes": None, "path": "p.png"},
        {"bytes": None, "path": None},
        None,
    ]
    rows = read_all(open_source(save(tmp_path, image=structs, label=[0, 1, 2, 3]), PICTURE))
    assert pictures_of(rows) == [PNG, PNG + b"2"]
    assert refusals_of(rows) == dict.fromkeys((2, 3), "Expected a picture or its path, found nothing.")
    held = read_all(open_source(save(tmp_path, picture=[PNG, b"", b"text"]), PICTURE))
    assert pictures_of(held) == [PNG]
    assert list(refusals_of(held)) == [1, 2]
    named = read_all(
        open_source(save(tmp_path, path=["p.png", "missing.png"], id=["a", "b"]), PICTURE, ReadOptions("id"))
    )
    assert pictures_of(named) == [PNG + b"2"]
    assert keys_of(named) == ["a", "b"]
    assert refusals_of(named) == {1: "missing.png cannot be read: No such file or directory."}


def test_a_model_of_pictures_takes_arrays_too(tmp_path: Path) -> None:
    array = np.zeros((3, 96, 96, 3), "float32")
    rows = read_all(open_source(save(tmp_path, image=column_of(array, "list"), path=["a", "b", "c"]), PICTURE))
    np.testing.assert_array_equal(array_of(rows, "image"), array)


def test_large_row_groups_of_one_repeated_value_are_read_in_small_parts(tmp_path: Path) -> None:
    name = save(tmp_path, x=column_of(np.zeros((600, 30_000), "float32"), "list"))
    source = open_source(name, fit_of("float32", 30_000))
    before = pa.total_allocated_bytes()
    reader = source.read(300)
    assert reader.next(10, 1 << 30)
    assert pa.total_allocated_bytes() - before < 32 << 20
    reader.close()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"x" * 1000 + b"PAR1", b"x" * 1000])
def test_a_damaged_parquet_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.parquet cannot be read"):
        open_source(str(tmp_path / "x.parquet"), VECTOR)


def test_pages_that_are_damaged_stop_with_a_sentence(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((20_000, 4)).astype("float32")
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"x": column_of(array, "list")}), path, row_group_size=1000, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.parquet cannot be read"):
        read_all(open_source(str(path), VECTOR))
