"""Files that are empty, cut off or something else: each ends in a sentence that names the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import tiny_models
from tests.opened_models import loaded, put_file, refusal

PNG = b"\x89PNG\r\n\x1a\n" + bytes(500)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("good")
    files = {format: tiny_models.add_linear(root, format, format) for format in tiny_models.FORMATS}
    files["zip"] = tiny_models.save_keras(root / "linear.keras", tiny_models.linear_keras())
    return files


@pytest.mark.parametrize("name", ["m.pb", "m.h5", "m.hdf5", "m.keras"])
def test_an_empty_file_is_told_as_empty(tmp_path: Path, name: str) -> None:
    put_file(tmp_path, name, b"")
    assert refusal(tmp_path).endswith(f"{name} is empty.")


@pytest.mark.parametrize(("name", "reason"), [("m.pb", "not a frozen graph"), ("m.h5", "is not a Keras file")])
@pytest.mark.parametrize("content", [PNG, b"weights\n" * 100, bytes(1000), b"\xff" * 1000])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str, reason: str, content: bytes) -> None:
    put_file(tmp_path, name, content)
    assert reason in refusal(tmp_path)


@pytest.mark.parametrize(("format", "name"), [("frozen_graph", "m.pb"), ("keras", "m.h5"), ("zip", "m.keras")])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.98])
def test_a_file_that_is_cut_off_is_refused(
    tmp_path: Path, good: dict[str, Path], format: str, name: str, share: float
) -> None:
    content = good[format].read_bytes()
    put_file(tmp_path, name, content[: int(len(content) * share)])
    refusal(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.98])
def test_a_saved_model_whose_file_is_cut_off_is_refused(tmp_path: Path, good: dict[str, Path], share: float) -> None:
    shutil.copytree(good["saved_model"], tmp_path / "m" / "1")
    file = tmp_path / "m" / "1" / "saved_model.pb"
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    assert "saved_model.pb" in refusal(tmp_path)


def test_a_saved_model_of_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    put_file(tmp_path, "saved_model.pb", PNG)
    assert "saved_model.pb" in refusal(tmp_path)


def test_a_saved_model_without_its_variables_is_refused(tmp_path: Path) -> None:
    # Given a SavedModel with weights
    folder = tiny_models.version_folder(tmp_path, "m")
    tiny_models.linear_keras().export(folder, verbose=False)
    assert loaded(tmp_path).format == "saved_model"

    # When its variables are lost, or cut off
    data = next((folder / "variables").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:10])
    refusal(tmp_path)
    shutil.rmtree(folder / "variables")
    refusal(tmp_path)


@pytest.mark.parametrize(("format", "name"), [("keras", "m.keras"), ("zip", "m.h5"), ("keras", "m.pb")])
def test_a_name_that_contradicts_the_content_is_told(
    tmp_path: Path, good: dict[str, Path], format: str, name: str
) -> None:
    put_file(tmp_path, name, good[format].read_bytes())
    assert "name it m." in refusal(tmp_path)


def test_weights_without_a_model_are_told_as_such(tmp_path: Path) -> None:
    folder = tiny_models.version_folder(tmp_path, "m")
    tiny_models.save_weights(folder / "m.weights.h5", tiny_models.linear_keras())
    assert "holds no model but at most weights" in refusal(tmp_path)


def test_a_zip_that_is_no_keras_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "a.txt").write_text("a")
    archive = shutil.make_archive(str(tmp_path / "m"), "zip", tmp_path / "content")
    put_file(tmp_path, "m.keras", Path(archive).read_bytes())
    assert "config.json" in refusal(tmp_path)


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    folder = tiny_models.version_folder(tmp_path, "m")
    (folder / "m.pb").symlink_to(folder / "missing.pb")
    assert "m.pb cannot be read" in refusal(tmp_path)
