from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from client.backfill.answers import Answers
from client.backfill.output_files import OutputFiles
from client.backfill.outputs.json_rows import json_lines
from client.backfill.outputs.output import open_output
from client.errors import OutputError

ROOT = Path(__file__).parents[2]


def write(output: Path, *chunks: tuple[Sequence[str], Answers]) -> Path:
    """All chunks in one go."""
    with closing(open_output(output, None)) as writer:
        first = 0
        for keys, answers in chunks:
            writer.write(first, keys, answers)
            first += len(keys)
        writer.flush()
        writer.finish()
        writer.clean_up()
    return output


def read_npz(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as members:
        return dict(members)


def as_lines(answers: Answers, keys: Sequence[str] = ("a",)) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=pytest.fail) for line in json_lines(keys, answers).splitlines()]


@given(arrays_of.arrays(np.float32, (3, 2)) | arrays_of.arrays(np.float16, (3, 2)) | arrays_of.arrays("f8", (3, 2)))
def test_numbers_in_json_read_back_equal(numbers: Any) -> None:
    rows = [line["y"] for line in as_lines({"y": numbers}, ("a", "b", "c"))]
    finite = np.isfinite(numbers)
    assert np.array(rows, float).astype(numbers.dtype)[finite].tolist() == numbers[finite].tolist()
    assert all(value is None for value in np.array(rows, object)[~finite])


@given(st.floats(2**-40, 2**26, width=32) | st.floats(-1000, -(2**-10), width=32))
def test_narrow_numbers_have_no_more_digits_than_numpy_gives_them(number: float) -> None:
    (line,) = as_lines({"y": np.array([number], np.float32)})
    assert len(repr(line["y"])) <= len(repr(float(str(np.float32(number)))))


def test_json_lines_hold_each_kind_of_output() -> None:
    answers = {
        "class": np.array([3], np.int64),
        "is_cat": np.array([True]),
        "label": np.array(["Katze ü"]),
        "crop": np.array([b"\xff\xd8"]),
        "names": np.array([["a", "b"]]),
        "wave": np.array([[1 + 2j]], np.complex64),
        "none": np.zeros((1, 0), np.float32),
    }
    assert as_lines(answers) == [
        {
            "id": "a",
            "class": 3,
            "is_cat": True,
            "label": "Katze ü",
            "crop": {"b64": "/9g="},
            "names": ["a", "b"],
            "wave": [[1.0, 2.0]],
            "none": [],
        }
    ]
    assert "Katze ü".encode() in json_lines(["a"], answers)


def test_strings_that_end_in_zero_bytes_keep_them(tmp_path: Path) -> None:
    packed = np.array([(3, b"a")], [("length", "<i8"), ("bytes", "S1")])
    assert as_lines({"y": packed})[0]["y"] == "a\0\0"
    assert pq.read_table(write(tmp_path / "a.parquet", (["a"], {"y": packed})))["y"].to_pylist() == [b"a\0\0"]
    member = read_npz(write(tmp_path / "a.npz", (["a"], {"y": packed})))["y"]
    assert (member["length"].tolist(), member["bytes"].tolist()) == ([3], [b"a"])


def test_a_document_of_a_detector_is_a_line_or_a_text(tmp_path: Path) -> None:
    documents = [{"detections": [{"label": "cat", "score": 0.5, "box_pixels": [1, 2, 3, 4]}]}, {"detections": []}]
    lines = as_lines(documents, ("a", "b"))
    assert lines == [{"id": "a", **documents[0]}, {"id": "b", **documents[1]}]
    table = pq.read_table(write(tmp_path / "a.parquet", (["a", "b"], documents)))
    assert [json.loads(text) for text in table["document"].to_pylist()] == documents
    with pytest.raises(OutputError, match="holds arrays, no documents"):
        write(tmp_path / "a.npz", (["a", "b"], documents))


@pytest.mark.parametrize("name", ["id", "output_id"])
def test_an_output_called_id_does_not_hide_the_key(name: str, tmp_path: Path) -> None:
    answers = {name: np.array([7]), "output_0": np.array([8])}
    expected = {"id": "a", "output_id": 7, "output_0": 8}
    assert as_lines(answers) == [expected]
    assert pq.read_table(write(tmp_path / "a.parquet", (["a"], answers))).to_pylist() == [expected]
    members = read_npz(write(tmp_path / "a.npz", (["a"], answers)))
    assert {member: array[0] for member, array in members.items()} == expected
    both = {"id": np.array([1]), "output_id": np.array([2])}
    assert as_lines(both) == [{"id": "a", "output_output_id": 1, "output_id": 2}]


KEYS = ["plain", "ü/日本.jpg", 'quote" and \\ and \n', "", "bad\udcff.jpg"]


def test_keys_of_any_text_come_back(tmp_path: Path) -> None:
    answers = {"y": np.arange(5)}
    assert [line["id"] for line in as_lines(answers, KEYS)] == KEYS
    assert read_npz(write(tmp_path / "a.npz", (KEYS, answers)))["id"].tolist() == KEYS
    # Parquet's text is UTF-8, which has no halves of surrogate pairs.
    in_parquet = pq.read_table(write(tmp_path / "a.parquet", (KEYS, answers)))["id"].to_pylist()
    assert in_parquet == [*KEYS[:-1], "bad\\udcff.jpg"]


@pytest.mark.parametrize("dtype", ["u1", "i8", "u8", "f2", "f4", "f8", "?", ">i4"])
def test_arrays_keep_their_dtype_and_shape_whatever_the_cuts(dtype: str, tmp_path: Path) -> None:
    numbers = np.arange(24).reshape(4, 3, 2).astype(dtype)
    keys = list("abcd")
    cut = [(keys[:1], {"y": numbers[:1]}), (keys[1:], {"y": numbers[1:]})]
    member = read_npz(write(tmp_path / "a.npz", *cut))["y"]
    assert member.dtype == numbers.dtype.newbyteorder("=")
    assert member.tolist() == numbers.tolist()
    column = pq.read_table(write(tmp_path / "a.parquet", *cut))["y"]
    element = pa.from_numpy_dtype(numbers.dtype.newbyteorder("="))
    assert column.type == pa.list_(pa.list_(element, 2), 3)
    assert column.to_pylist() == numbers.tolist()


def test_outputs_whose_rows_have_different_shapes_are_kept_too(tmp_path: Path) -> None:
    # As a detector's raw outputs are, when each picture has as many boxes as it has.
    chunks = [(["a", "b"], {"boxes": np.ones((2, 3, 4))}), (["c"], {"boxes": np.zeros((1, 0, 4))})]
    column = pq.read_table(write(tmp_path / "a.parquet", *chunks))["boxes"]
    assert column.type == pa.list_(pa.list_(pa.float64()))
    assert column.to_pylist() == [np.ones((3, 4)).tolist()] * 2 + [[]]
    members = read_npz(write(tmp_path / "a.npz", *chunks))
    assert members["boxes.shapes"].tolist() == [[3, 4], [3, 4], [0, 4]]
    assert members["boxes"].tolist() == [1.0] * 24
    assert members["id"].tolist() == ["a", "b", "c"]


def test_text_and_other_bytes_of_one_output_become_bytes(tmp_path: Path) -> None:
    # A worker sends text where all of a batch is text, and bytes where not.
    chunks = [(["a"], {"y": np.array(["日本"])}), (["b"], {"y": np.array([b"\xff"])})]
    expected = ["日本".encode(), b"\xff"]
    assert read_npz(write(tmp_path / "a.npz", *chunks))["y"].tolist() == expected
    assert pq.read_table(write(tmp_path / "a.parquet", *chunks))["y"].to_pylist() == expected


@pytest.mark.parametrize("suffix", ["npz", "parquet", "jsonl", "NPZ", "ndjson"])
def test_an_output_without_any_row_is_a_file_all_the_same(suffix: str, tmp_path: Path) -> None:
    output = write(tmp_path / f"a.{suffix}")
    if suffix == "parquet":
        assert pq.read_table(output).to_pydict() == {"id": []}
    elif suffix.lower() == "npz":
        assert read_npz(output)["id"].shape == (0,)
    else:
        assert output.read_bytes() == b""


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"other": np.ones((1, 2))}, r"other \(1\) instead of y \(1\)"),
        ({"y": np.ones((1, 2, 2))}, r"y \(2\) instead of y \(1\)"),
        ([{"detections": []}], r"documents instead of y \(1\)"),
    ],
)
def test_rows_that_no_table_holds_together_are_refused(second: Answers, told: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=told):
        write(tmp_path / "a.parquet", (["a"], {"y": np.ones((1, 2))}), (["b"], second))


@pytest.mark.parametrize("answers", [{"y": np.ones(2)}, {"y": np.array(1.0)}, [], [{}, {}]])
@pytest.mark.parametrize("suffix", ["npz", "parquet", "jsonl"])
def test_answers_without_a_row_for_each_key_are_refused(
    suffix: str, answers: Mapping[str, Any] | Sequence[Any], tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="Rows 0 to 0: 1 rows expected"):
        write(tmp_path / f"a.{suffix}", (["a"], answers))


def test_a_name_that_says_no_format_is_refused_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out.csv: expected a file ending in .jsonl, .ndjson, .npz, .parquet, .pq"):
        open_output(tmp_path / "out.csv", None)
    with pytest.raises(OutputError, match=r"there is no folder .*nowhere. Make it first"):
        open_output(tmp_path / "nowhere" / "out.npz", None)


def test_without_pyarrow_parquet_is_refused_at_once_and_the_rest_works(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["pyarrow"] = None
from pathlib import Path
from client.backfill.outputs.output import open_output
from client.errors import OutputError
open_output(Path("a.npz"), None).close()
try:
    open_output(Path("a.parquet"), None)
except OutputError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout.startswith("Parquet needs pyarrow, which cannot be loaded"), done.stderr


def test_arrow_takes_its_memory_from_the_system_and_gives_it_back(tmp_path: Path) -> None:
    before = pa.default_memory_pool()
    try:
        open_output(tmp_path / "out.parquet", None).close()
        assert pa.default_memory_pool().backend_name == "system"
    finally:
        pa.set_memory_pool(before)


def test_an_npz_is_put_together_in_little_memory(tmp_path: Path) -> None:
    rows = 1 << 14
    chunk = {"y": np.ones((rows, 64), np.float32)}
    keys = [f"{position:08}" for position in range(rows)]
    writer = open_output(tmp_path / "a.npz", None)
    for _ in range(16):
        writer.write(0, keys, chunk)
    writer.flush()
    tracemalloc.start()
    try:
        writer.finish()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        writer.close()
    assert (tmp_path / "a.npz").stat().st_size > 64 << 20
    assert peak_bytes < 32 << 20
    assert OutputFiles(tmp_path / "a.npz").spool.exists(), "a kill would have lost it"
