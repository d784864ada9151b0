"""CSV: what csv and json write comes back, and one bad line takes no other along."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.backfill.fit import Fit, RowSpec
from client.backfill.inputs.opening import open_source
from client.backfill.inputs.options import ReadOptions
from client.errors import InputError
from tests.backfill_inputs import (
    FREELY,
    TEXT,
    TWO,
    VECTOR,
    array_of,
    fit_of,
    keys_of,
    read_all,
    refusals_of,
    rows_of,
    write,
)

HEADER = "x_0,x_1,x_2,x_3\n"


@FREELY
@given(
    rows=st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), TEXT), min_size=1, max_size=30),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    packed=st.booleans(),
    position=st.integers(0, 30),
)
def test_what_csv_writes_comes_back_from_any_position(
    tmp_path: Path,
    rows: Sequence[tuple[int, str]],
    quoting: Any,
    delimiter: str,
    encoding: str,
    packed: bool,
    position: int,
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows([("b", "key", "a")])
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows((b, f"k{i}", a) for i, (a, b) in enumerate(rows))
    content = text.getvalue().encode(encoding)
    name = write(tmp_path / "x.csv", gzip.compress(content) if packed else content)

    source = open_source(name, TWO, ReadOptions(id_column="key"))
    read = read_all(source, position)

    assert source.total_rows == len(rows)
    assert keys_of(read) == [f"k{i}" for i in range(len(rows))][position:]
    assert [(int(a), b.decode()) for a, b in zip(rows_of(read, "a"), rows_of(read, "b"), strict=True)] == rows[
        position:
    ]


@FREELY
@given(values=st.lists(st.lists(st.floats(width=32, allow_infinity=False), min_size=4, max_size=4), min_size=1))
def test_floats_that_csv_and_json_write_come_back_bit_by_bit(tmp_path: Path, values: list[list[float]]) -> None:
    lines = write(tmp_path / "x.csv", HEADER + "".join(",".join(map(repr, row)) + "\n" for row in values))
    nested = write(tmp_path / "x.jsonl", "".join(json.dumps(row) + "\n" for row in values))
    for name in (lines, nested):
        np.testing.assert_array_equal(array_of(read_all(open_source(name, VECTOR))), np.array(values, "float32"))


@pytest.mark.parametrize(
    "header",
    ["x_0,x_1,x_2,x_3", "x.0,x.1,x.2,x.3", "x[0],x[1],x[2],x[3]", '"x_0","x_1","x_2","x_3"', "x_0;x_1;x_2;x_3"],
)
def test_numbered_columns_are_the_values_of_one_input_in_the_order_of_their_numbers(
    tmp_path: Path, header: str
) -> None:
    delimiter = ";" if ";" in header else ","
    name = write(tmp_path / "x.csv", f"{header}\n{delimiter.join('1234')}\n")
    assert array_of(read_all(open_source(name, VECTOR))).tolist() == [[1, 2, 3, 4]]


def test_columns_in_another_order_and_among_others_are_found_by_name_and_the_others_told(tmp_path: Path) -> None:
    name = write(tmp_path / "x.csv", "x_3,note,x_1,x_0,x_2\n3,a,1,0,2\n")
    source = open_source(name, VECTOR)
    assert array_of(read_all(source)).tolist() == [[0, 1, 2, 3]]
    assert source.notes == ["Not used: note."]


def test_a_column_may_hold_whole_rows_as_json(tmp_path: Path) -> None:
    name = write(tmp_path / "x.csv", 'x\n"[[1, 2], [3, 4]]"\n"[1, 2, 3, 4]"\n"[1, 2"\n"[1, 2, 3]"\n')
    rows = read_all(open_source(name, fit_of("float32", 2, 2)))
    assert array_of(rows).tolist() == [[[1, 2], [3, 4]]] * 2
    assert refusals_of(rows) == {
        2: "Column 'x': expected a JSON list, found '[1, 2'.",
        3: "Column 'x': expected float32 of shape (2, 2) in each row, found float32 of shape (3,).",
    }


BAD_CELLS = [
    ("float32", "abc", "found 'abc'"),
    ("float32", "", "found an empty cell"),
    ("float32", "1e39", "found 1e+39, which is out of its range"),
    ("float32", "1e400", "found inf, which is out of its range"),
    ("int32", "1.5", "found 1.5, which is out of its range or no whole number"),
    ("int32", "3000000000", "found 3000000000, which is out of its range"),
    ("int32", "nan", "found nan"),
    ("uint8", "-1", "found -1"),
    ("uint64", "9" * 5000, "found inf"),
    ("bool", "yes", "found 'yes'"),
]


@pytest.mark.parametrize(("dtype", "cell", "found"), BAD_CELLS)
def test_a_cell_that_does_not_fit_refuses_its_row_alone_and_says_column_expected_and_found(
    tmp_path: Path, dtype: str, cell: str, found: str
) -> None:
    name = write(tmp_path / "x.csv", "x\n" + "1\n" * 20 + f'"{cell}"\n' + "0\n" * 20)
    rows = read_all(open_source(name, fit_of(dtype)))
    assert list(refusals_of(rows)) == [20]
    assert refusals_of(rows)[20].startswith(f"Column 'x': expected {dtype} numbers, {found}")
    assert rows_of(rows, "x") == [1] * 20 + [0] * 20


def test_whole_numbers_may_be_written_as_decimals_and_booleans_as_words(tmp_path: Path) -> None:
    whole = read_all(open_source(write(tmp_path / "x.csv", "x\n3.0\n4\n1e3\n"), fit_of("int16")))
    assert rows_of(whole, "x") == [3, 4, 1000]
    words = read_all(open_source(write(tmp_path / "b.csv", "x\ntrue\nFALSE\n1\n0\n"), fit_of("bool")))
    assert rows_of(words, "x") == [True, False, True, False]


BAD_LINES = {
    "1,2,3": "Expected 4 cells, as the header has; found 3.",
    "1,2,3,4,5": "Expected 4 cells, as the header has; found 5.",
    '1,2,3,"4': "The line is no CSV: unexpected end of data.",
    '1,2,3,"4"5': "The line is no CSV: ',' expected after '\"'.",
    "1,2,3,\udcff": "The line holds bytes that are not of the file's encoding.",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_bad_line_is_one_unread_row_and_all_others_are_read(tmp_path: Path, line: str) -> None:
    text = HEADER + "1,2,3,4\n" * 9 + line + "\n" + "5,6,7,8\n\n" * 9
    name = write(tmp_path / "x.csv", text.encode("utf-8", "surrogateescape"))
    source = open_source(name, VECTOR)
    rows = read_all(source)
    assert refusals_of(rows) == {9: BAD_LINES[line]}
    assert array_of(rows).tolist() == [[1, 2, 3, 4]] * 9 + [[5, 6, 7, 8]] * 9
    assert source.total_rows == 19
    assert array_of(read_all(source, position=10)).tolist() == [[5, 6, 7, 8]] * 9


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no header"),
        ("\n\n", "has no header"),
        (
            "y\n1\n",
            "no column for input 'x' of model 'digits': expected a column x, or columns x_0, x_1 and so on; found y",
        ),
        ("x_0,x_1,x_2\n1,2,3\n", r"has 3 numbered columns for input 'x', which takes 4 values"),
        ("x_0,x_1,x_2,x_4\n1,2,3,4\n", "columns up to x_4, and none for value 3"),
        ("x_0,x_1,x_2,x.2\n1,2,3,4\n", "two columns for value 2 of input 'x'"),
        ("x,x\n1,2\n", "expected one column 'x', found twice or more"),
        (HEADER + "a,b,c,d\n" * 5, "None of the first 5 rows fits model 'digits'. Row 0: .*found 'a'"),
        (HEADER + "a,b,c,d\n", "The only row does not fit model 'digits'."),
    ],
)
def test_a_csv_that_cannot_fit_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        open_source(write(tmp_path / "x.csv", text), VECTOR)


def test_a_header_alone_is_an_input_without_rows(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "x.csv", HEADER), VECTOR)
    assert (source.total_rows, read_all(source)) == (0, [])


def test_a_byte_order_mark_is_no_part_of_the_first_name_also_where_utf_8_is_said(tmp_path: Path) -> None:
    name = write(tmp_path / "x.csv", "\ufeffx\n1\n")
    for options in (None, ReadOptions(encoding="UTF8")):
        assert rows_of(read_all(open_source(name, fit_of("float32"), options)), "x") == [1]


def test_a_record_of_empty_cells_is_a_row_and_a_blank_line_is_none(tmp_path: Path) -> None:
    fit = Fit("m", {"a": RowSpec("string", ()), "b": RowSpec("string", ())})
    source = open_source(write(tmp_path / "x.tsv", "a\tb\n1\t2\n\n\t\n"), fit)
    assert rows_of(read_all(source), "b") == [b"2", b""]
    assert source.total_rows == 2


def test_an_encoding_can_be_said_and_must_be_known(tmp_path: Path) -> None:
    name = write(tmp_path / "x.csv", "a,b\n1,größe\n".encode("cp1252"))
    assert rows_of(read_all(open_source(name, TWO, ReadOptions(encoding="cp1252"))), "b") == ["größe".encode()]
    with pytest.raises(InputError, match="'klingon' is not known"):
        open_source(name, TWO, ReadOptions(encoding="klingon"))


def test_ids_must_be_there_and_be_unique(tmp_path: Path) -> None:
    name = write(tmp_path / "x.csv", "name,x\nm,1\n,2\nn,3\nn,x,4\n")
    rows = read_all(open_source(name, fit_of("float32"), ReadOptions(id_column="name")))
    assert keys_of(rows) == ["m", "row 1", "n", "row 3"]
    assert refusals_of(rows)[1] == "Column 'name': expected an id, found an empty cell."
    with pytest.raises(InputError, match="'m' stands in row 0 and in row 1"):
        open_source(write(tmp_path / "y.csv", "name,x\nm,1\nm,2\n"), fit_of("float32"), ReadOptions(id_column="name"))
    with pytest.raises(InputError, match="expected one column 'nome', found only name, x"):
        open_source(name, fit_of("float32"), ReadOptions(id_column="nome"))


def test_a_truncated_gzip_stops_with_a_sentence(tmp_path: Path) -> None:
    content = gzip.compress(b"".join(b"[%d, 2, 3, 4]\n" % row for row in range(1000)))
    with pytest.raises(InputError, match=r"x\.jsonl\.gz cannot be read: Compressed file ended"):
        open_source(write(tmp_path / "x.jsonl.gz", content[:-100]), VECTOR)


def test_a_text_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="None of the first"):
        open_source(write(tmp_path / "x.jsonl", np.random.default_rng(0).bytes(100_000)), VECTOR)
    with pytest.raises(InputError, match=r"x\.csv"):
        open_source(write(tmp_path / "x.csv", np.random.default_rng(0).bytes(100_000)), VECTOR)
