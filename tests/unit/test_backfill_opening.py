"""What is opened how: standard input, fingerprints, kinds, and a model's fit."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.backfill.chunk import RowChunk
from client.backfill.fit import Fit, RowSpec
from client.backfill.inputs.opening import open_source
from client.backfill.inputs.options import ReadOptions
from client.errors import InputError
from tests.backfill_inputs import PICTURE, VECTOR, array_of, keys_of, read_all

LINES = b"[1, 2, 3, 4]\n[5, 6, 7, 8]\n"


def npy(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("jsonl", LINES),
        ("csv", b"x_0,x_1,x_2,x_3\n1,2,3,4\n5,6,7,8\n"),
        ("npy", npy(np.array([[1, 2, 3, 4], [5, 6, 7, 8]], "float32"))),
    ],
)
def test_standard_input_is_put_aside_so_that_it_is_read_from_any_position_and_deleted_at_the_end(
    tmp_path: Path, format: str, content: bytes
) -> None:
    source = open_source("-", VECTOR, format=format, stdin=io.BytesIO(content), spool_folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    assert array_of(read_all(source)).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert keys_of(read_all(source, position=1)) == ["1"]
    source.close()
    assert list(tmp_path.iterdir()) == []


def test_standard_input_that_does_not_fit_is_not_left_behind(tmp_path: Path) -> None:
    for content in (b"", b"y\n1\n", b"x\n[1]\n"):
        with pytest.raises(InputError):
            open_source("-", VECTOR, format="csv", stdin=io.BytesIO(content), spool_folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_same_data_on_standard_input_has_the_same_fingerprint_and_other_data_another(tmp_path: Path) -> None:
    def fingerprint(content: bytes) -> Any:
        source = open_source("-", VECTOR, format="jsonl", stdin=io.BytesIO(content), spool_folder=tmp_path)
        source.close()
        return source.fingerprint

    assert fingerprint(LINES) == fingerprint(LINES)
    assert fingerprint(LINES) != fingerprint(LINES.replace(b"7", b"9"))


@pytest.mark.parametrize("format", [None, "pictures"])
def test_standard_input_needs_a_format_and_is_not_read_without(format: str | None) -> None:
    stdin = io.BytesIO(LINES)
    with pytest.raises(InputError, match="--format, one of npy, npz, csv, jsonl, paths, parquet"):
        open_source("-", VECTOR, format=format, stdin=stdin)
    assert stdin.tell() == 0


def test_a_format_goes_before_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "rows.dat").write_bytes(LINES)
    assert open_source(str(tmp_path / "rows.dat"), VECTOR, format="jsonl").total_rows == 2
    with pytest.raises(InputError, match="'xml' is not known; expected one of pictures, npy"):
        open_source(str(tmp_path / "rows.dat"), VECTOR, format="xml")


def test_a_fingerprint_is_json_and_changes_with_the_file_and_with_how_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(LINES)

    def fingerprint(options: ReadOptions | None = None) -> Any:
        return json.loads(json.dumps(dict(open_source(str(path), VECTOR, options).fingerprint)))

    first = fingerprint()
    assert fingerprint() == first
    assert fingerprint(ReadOptions(encoding="latin-1")) != first
    status = path.stat()
    path.write_bytes(LINES.replace(b"7", b"9"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert fingerprint() != first, "same size and time, other content"
    path.write_bytes(LINES)
    os.utime(path, ns=(0, 0))
    assert fingerprint() != first, "same content, written again"


def test_the_fingerprint_of_a_folder_changes_with_any_file_in_it(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    seen = [open_source(str(tmp_path), PICTURE).fingerprint]
    assert open_source(str(tmp_path), PICTURE).fingerprint == seen[0]
    (tmp_path / "2.png").rename(tmp_path / "3.png")
    seen.append(open_source(str(tmp_path), PICTURE).fingerprint)
    (tmp_path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n longer")
    seen.append(open_source(str(tmp_path), PICTURE).fingerprint)
    (tmp_path / "1.png").unlink()
    seen.append(open_source(str(tmp_path), PICTURE).fingerprint)
    assert len({json.dumps(dict(fingerprint)) for fingerprint in seen}) == 4


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "There is no input"),
        (["-", "x.npy"], "comes alone"),
        (["gone.npy"], "gone.npy does not exist; expected a npy file"),
        (["a.jsonl", "b.jsonl"], "Expected one file, or several pictures; found 2"),
        (["a.jsonl", "b.npy"], "Expected one file, or several pictures; found 2"),
        (["*.parquet"], "found 0"),
    ],
)
def test_names_that_are_no_input_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=sentence):
        open_source(names, VECTOR)


def test_without_pyarrow_all_but_parquet_is_read_and_that_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(LINES)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    code = """
import sys
sys.modules["pyarrow"] = None
from client.backfill.chunk import RowChunk
from client.backfill.fit import Fit, RowSpec
from client.backfill.inputs.opening import open_source
from client.errors import InputError
fit = Fit("digits", {"x": RowSpec("float32", (4,))})
print(open_source("x.jsonl", fit).total_rows)
try:
    open_source("x.parquet", fit)
except InputError as error:
    print(error)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert done.stderr == ""
    rows, sentence = done.stdout.splitlines()
    assert rows == "2"
    assert sentence.startswith("Parquet needs pyarrow") and sentence.endswith("pip install 'celeriac[parquet]'.")


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "packed.npz"])
def test_memory_does_not_grow_with_the_array(tmp_path: Path, name: str) -> None:
    array = np.zeros((1_000_000, 16), "float32")
    save: Any = {"x.npy": np.save, "x.npz": np.savez, "packed.npz": np.savez_compressed}[name]
    save(tmp_path / name, array)
    tracemalloc.start()
    try:
        source = open_source(str(tmp_path / name), Fit("m", {"x": RowSpec("float32", (16,))}))
        assert (
            sum(row.end - row.first for row in read_all(source, 900_000, 10_000) if isinstance(row, RowChunk))
            == 100_000
        )
        # What is read is held by the test.
        assert tracemalloc.get_traced_memory()[1] < 100_000 * (64 + 200)
    finally:
        tracemalloc.stop()


def model(**inputs: dict[str, Any]) -> dict[str, Any]:
    return {"name": "m", "signature": {"inputs": inputs, "outputs": {}}, "takes_pictures": False, "signatures": {}}


def test_a_fit_is_the_models_signature_without_the_axis_of_rows() -> None:
    document = model(a={"dtype": "float32", "shape": [None, 3, None]}, b={"dtype": "string", "shape": None})
    assert Fit.of_model(document) == Fit("m", {"a": RowSpec("float32", (3, None)), "b": RowSpec("string", None)})
    fixed = model(a={"dtype": "float32", "shape": [8, 3]})
    assert Fit.of_model(fixed) == Fit("m", {"a": RowSpec("float32", (3,))}, fixed_rows=8)


def test_a_fit_is_that_of_the_signature_that_is_asked_for() -> None:
    document = model(a={"dtype": "float32", "shape": [None]})
    other = {"inputs": {"text": {"dtype": "string", "shape": [None]}}, "outputs": {}, "takes_pictures": True}
    document["signatures"] = {"serving_default": document["signature"], "other": other}
    assert Fit.of_model(document, "other") == Fit("m", {"text": RowSpec("string", ())}, takes_pictures=True)
    with pytest.raises(InputError, match="no signature 'third'; it has other, serving_default"):
        Fit.of_model(document, "third")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"name": "m", "signature": None}, "was never ready"),
        (
            model(a={"dtype": "float32", "shape": [None, 3]}, threshold={"dtype": "float32", "shape": []}),
            "its input 'threshold' has no rows",
        ),
        (model(a={"dtype": "bfloat16", "shape": [None]}), "Input 'a' of model 'm' is bfloat16"),
    ],
)
def test_a_model_that_takes_no_rows_from_a_file_is_refused(document: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Fit.of_model(document)
