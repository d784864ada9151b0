"""JSON Lines: what a line may be, and one that does not fit takes no other along."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.backfill.chunk import RowChunk
from client.backfill.inputs.opening import open_source
from client.backfill.inputs.options import ReadOptions
from client.errors import InputError
from tests.backfill_inputs import (
    FREELY,
    VECTOR,
    array_of,
    fit_of,
    keys_of,
    read_all,
    refusals_of,
    rows_of,
    write,
)


@pytest.mark.parametrize(
    "line",
    [
        '{"x": [1, 2, 3, 4]}',
        '{"instance": [1, 2, 3, 4]}',
        '{"instance": {"x": [1, 2, 3, 4]}}',
        "[1, 2, 3, 4.0]",
        '{"inputs": {"x": [1, 2, 3, 4]}, "id": 7}',
        '{"id": "seven", "x": [1, 2, 3, 4], "note": null}',
    ],
)
def test_a_line_of_json_is_an_object_an_instance_or_the_value(tmp_path: Path, line: str) -> None:
    rows = read_all(open_source(write(tmp_path / "x.jsonl", f"\n{line}\r\n\n"), VECTOR))
    assert array_of(rows).tolist() == [[1, 2, 3, 4]]
    assert keys_of(rows) == [str(json.loads(line).get("id", 0)) if line.startswith("{") else "0"]


BAD_JSON = {
    '{"x": [1, 2, 3, 4]': "The line is no JSON: ",
    "[" * 100_000: "The line is no JSON: ",
    '{"y": [1, 2, 3, 4]}': "Expected a value for input 'x'; the line has y.",
    "[1, 2, 3]": "Input 'x': expected float32 of shape (4,) in each row, found float32 of shape (3,).",
    "[1, 2, 3, null]": "Input 'x': expected float32 numbers, found null.",
    '[1, 2, 3, "4"]': "Input 'x': expected float32 numbers, found a string.",
    "[1, 2, 3, true]": "Input 'x': expected float32 numbers, found a boolean.",
    "[1, 2, 3, [4]]": "Input 'x': expected float32 numbers, found a list that is nested deeper than its neighbours.",
    "[[1], [2], [3], 4]": "Input 'x': expected lists of one length at each depth, found a ragged list.",
    "[1, 2, 3, 1e39]": "Input 'x': expected float32 numbers, found 1e+39, which is out of its range",
    "[1, 2, 3, Infinity]": "Input 'x': expected float32 numbers, found inf, which is out of its range",
    '{"id": [1], "x": [1, 2, 3, 4]}': "Field 'id': expected an id, a string or a whole number; found [1].",
    '{"id": true, "x": [1, 2, 3, 4]}': "Field 'id': expected an id, a string or a whole number; found true.",
    "\udcff": "The line holds bytes that are not of the file's encoding.",
}


@pytest.mark.parametrize("line", BAD_JSON, ids=lambda line: line[:20].encode("unicode_escape").decode())
def test_a_line_that_does_not_fit_is_one_unread_row(tmp_path: Path, line: str) -> None:
    text = "[1, 2, 3, 4]\n" * 9 + line + "\n" + "[5, 6, 7, 8]\n" * 9
    source = open_source(write(tmp_path / "x.jsonl", text.encode("utf-8", "surrogateescape")), VECTOR)
    rows = read_all(source)
    assert list(refusals_of(rows)) == [9]
    assert refusals_of(rows)[9].startswith(BAD_JSON[line])
    assert array_of(rows).tolist() == [[1, 2, 3, 4]] * 9 + [[5, 6, 7, 8]] * 9
    assert source.total_rows == 19


def test_rows_of_several_shapes_come_in_chunks_of_one_shape_each(tmp_path: Path) -> None:
    values = [[1.0] * length for length in (3, 3, 3, 2, 2, 5, 3)]
    name = write(tmp_path / "x.jsonl", "".join(f"{json.dumps(value)}\n" for value in values))
    rows = read_all(open_source(name, fit_of("float32", None)), most_rows=100)
    assert [len(value) for value in rows_of(rows, "x")] == [3, 3, 3, 2, 2, 5, 3]
    assert len(rows) == 4


def test_a_long_string_among_short_ones_does_not_pad_them_all(tmp_path: Path) -> None:
    texts = ["short"] * 3000 + ["x" * 1_000_000] + ["short"] * 3000
    name = write(tmp_path / "x.jsonl", "".join(f"{json.dumps(text)}\n" for text in texts))
    rows = read_all(open_source(name, fit_of("string")), most_rows=10_000, most_bytes=1 << 30)
    assert [value.decode() for value in rows_of(rows, "x")] == texts
    assert sum(array.nbytes for array in [row.inputs["x"] for row in rows]) < 4_000_000  # type: ignore[union-attr,index]


@FREELY
@given(
    lengths=st.lists(st.sampled_from([0, 1, 60, 5000, 9000, 40_000]), min_size=1, max_size=40),
    shapes=st.booleans(),
    portion=st.integers(1, 20),
    beginning=st.integers(0, 10),
)
def test_rows_that_are_read_once_more_are_the_same_bytes_whatever_was_read_with_them(
    tmp_path: Path, lengths: list[int], shapes: bool, portion: int, beginning: int
) -> None:
    values: list[Any] = [["s" * length] * (length % 3 if shapes else 1) for length in lengths]
    source = open_source(
        write(tmp_path / "x.jsonl", "".join(f"{json.dumps(value)}\n" for value in values)), fit_of("string", None)
    )
    for chunk in read_all(source, min(beginning, len(values)), portion):
        assert isinstance(chunk, RowChunk)
        (again,) = source.read(chunk.first).next(len(chunk), 1 << 30)
        assert isinstance(again, RowChunk)
        assert isinstance(chunk.inputs, Mapping)
        assert isinstance(again.inputs, Mapping)
        assert again.keys == chunk.keys
        assert again.inputs["x"].dtype == chunk.inputs["x"].dtype
        np.testing.assert_array_equal(again.inputs["x"], chunk.inputs["x"])


def test_strings_may_be_bytes_in_base64_but_end_in_no_zero(tmp_path: Path) -> None:
    name = write(
        tmp_path / "x.jsonl", '"a"\n{"b64": "/w=="}\n{"instance": {"b64": "AGE="}}\n{"b64": "YQA="}\n{"b64": "?"}\n'
    )
    rows = read_all(open_source(name, fit_of("string")))
    assert rows_of(rows, "x") == [b"a", b"\xff", b"\0a"]
    assert "ends in no zero byte" in refusals_of(rows)[3]
    assert 'expected a string or {"b64": …}, found an object' in refusals_of(rows)[4]


def test_ids_of_lines_must_be_unique_also_where_some_have_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'1' stands in row 0 and in row 2"):
        open_source(
            write(tmp_path / "x.jsonl", '{"id": 1, "x": 0}\n{"x": 0}\n{"id": "1", "x": 0}\n'), fit_of("float32")
        )


def test_lines_without_an_id_do_not_take_the_number_that_is_the_id_of_another(tmp_path: Path) -> None:
    # Given ids that count from 1, a line that is damaged and one that has none
    name = write(tmp_path / "x.jsonl", '{"id": 1, "x": 0}\n{"id": 2,\n{"id": 3, "x": 0}\n{"x": 0}\n{"id": 4, "x": 0}\n')
    # When they are read
    rows = read_all(open_source(name, fit_of("float32")))
    # Then each row has a key of its own
    assert keys_of(rows) == ["1", "row 1", "3", "row 3", "4"]
    assert list(refusals_of(rows)) == [1]


def test_a_field_that_is_asked_for_as_id_must_be_in_each_line(tmp_path: Path) -> None:
    name = write(tmp_path / "x.jsonl", '{"name": "m", "x": 0}\n{"x": 0}\n')
    rows = read_all(open_source(name, fit_of("float32"), ReadOptions(id_column="name")))
    assert keys_of(rows) == ["m", "row 1"]
    assert refusals_of(rows) == {1: "Field 'name': expected an id, found none."}
