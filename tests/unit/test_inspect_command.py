"""`celeriac inspect` for what is no model: told at once, without TensorFlow."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_store.errors import LoadError
from tasks.inspect_command import inspect
from tasks.inspection.subject import find_subject

PNG = b"\x89PNG\r\n\x1a\n" + bytes(500)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(inspect, arguments)


def put(folder: Path, name: str, content: bytes) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def reason(*arguments: str) -> str:
    """Why it cannot be served: in one line, by itself on standard error and in the JSON."""
    result = run(*arguments)
    assert result.exit_code == 2
    report = json.loads(run(*arguments, "--json").stdout)
    assert result.stderr == f"{report['reason']}\n"
    assert (report["loads"], report["refused"], report["format"]) == (False, False, None)
    return str(report["reason"])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.pb", b"", "m.pb is empty."),
        ("m.h5", PNG, "m.h5 is no model that can be served but a PNG picture."),
        ("notes.txt", b"hello\n" * 40, "notes.txt is no model that can be served but a text file."),
        (
            "m.tflite",
            b"\x1c\0\0\0TFL3" + bytes(90),
            "but a TensorFlow Lite model. Find the model that it was converted from.",
        ),
        ("m.onnx", b"\x08\x07\x12\x07pytorch", "but an ONNX model. Celeriac serves TensorFlow and Keras models"),
        ("m.ckpt", b"\x01\x02" * 90, "but a part of a checkpoint, which has weights and no model."),
    ],
)
def test_a_file_that_is_no_model_is_told_for_what_it_is(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    assert said in reason(put(tmp_path, name, content))


def test_a_zip_is_told_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("export/saved_model.pb", "")
    assert "a zip archive of a SavedModel. Unpack it" in reason(str(tmp_path / "m.zip"))


def test_a_path_where_nothing_is_and_a_folder_without_a_model_are_told(tmp_path: Path) -> None:
    assert reason(str(tmp_path / "missing.pb")) == f"{tmp_path / 'missing.pb'} does not exist."
    assert "holds no model: expected a frozen graph *.pb" in reason(str(tmp_path))
    assert reason("/dev/null") == "/dev/null is neither a file nor a folder."


def test_a_folder_with_several_models_is_told(tmp_path: Path) -> None:
    put(tmp_path, "a.pb", b"\n\x01")
    put(tmp_path, "b.h5", b"x")
    assert "holds several models, a.pb, b.h5" in reason(str(tmp_path))


def test_a_model_toml_that_is_wrong_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    path = put(tmp_path, "m.pb", b"\n\x01")
    put(tmp_path, "model.toml", b"label = 1")
    assert "has an unknown key label" in reason(path)


def test_what_a_path_means(tmp_path: Path) -> None:
    file = Path(put(tmp_path, "store/m/2/m.pb", b"\n\x01"))
    put(tmp_path, "store/m/1/old.pb", b"\n\x01")
    put(tmp_path, "store/m/model.toml", b"")
    # A model's folder, a version's and an artifact, all in a store
    for path in (file, file.parent, file.parents[1]):
        subject = find_subject(path)
        assert (subject.path, subject.folder, subject.version) == (file, file.parent, 2)
        assert (subject.root, subject.spec_file) == (tmp_path / "store", tmp_path / "store" / "m" / "model.toml")


def test_what_a_path_to_a_saved_model_means(tmp_path: Path) -> None:
    put(tmp_path, "export/saved_model.pb", b"\x08\x01")
    for path in (tmp_path / "export", tmp_path / "export" / "saved_model.pb", tmp_path):
        subject = find_subject(path)
        assert (subject.path, subject.folder, subject.version) == (tmp_path / "export", tmp_path / "export", None)
    put(tmp_path, "store/m/1/export/saved_model.pb", b"\x08\x01")
    subject = find_subject(tmp_path / "store" / "m" / "1" / "export")
    assert (subject.path.name, subject.folder, subject.version) == ("export", tmp_path / "store" / "m" / "1", 1)


def test_the_size_of_a_saved_model_is_that_of_what_belongs_to_it(tmp_path: Path) -> None:
    put(tmp_path, "saved_model.pb", b"123")
    put(tmp_path, "variables/variables.index", b"45")
    put(tmp_path, "model.toml", b"")
    put(tmp_path, "other/large", bytes(1000))
    assert find_subject(tmp_path).size_bytes == 5


def test_a_model_outside_of_a_store_takes_no_model_toml_from_the_folder_above(tmp_path: Path) -> None:
    put(tmp_path, "model.toml", b"")
    assert find_subject(Path(put(tmp_path, "downloads/m.pb", b"\n\x01"))).spec_file is None


def test_an_unreadable_subject_is_an_error_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(LoadError):
        find_subject(tmp_path / "a" / "b")
