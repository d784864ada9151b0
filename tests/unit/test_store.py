from __future__ import annotations

from pathlib import Path

import pytest

from model_store.errors import LoadError, ModelNotFound
from model_store.store import StoredModel, find_model, find_models


def add_file(root: Path, path: str) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x")
    return file


def load_error(root: Path, name: str) -> str:
    with pytest.raises(LoadError) as caught:
        find_model(root, name)
    return str(caught.value)


def test_every_visible_folder_is_a_model_also_an_empty_one(tmp_path: Path) -> None:
    add_file(tmp_path, "fer/1/model.h5")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".cache").mkdir()
    (tmp_path / "README.md").write_text("Models.")
    assert find_models(tmp_path) == ["empty", "fer"]


def test_a_store_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="missing cannot be read as a folder: No such file"):
        find_models(tmp_path / "missing")


@pytest.mark.parametrize("file", ["model.pb", "model.h5", "model.hdf5", "model.keras", "MODEL.PB"])
def test_a_file_is_found_by_its_suffix(tmp_path: Path, file: str) -> None:
    path = add_file(tmp_path, f"m/3/{file}")
    assert find_model(tmp_path, "m") == StoredModel("m", 3, path, tmp_path / "m" / "3")


def test_a_saved_model_may_be_the_version_folder_itself(tmp_path: Path) -> None:
    file = add_file(tmp_path, "m/1/saved_model.pb")
    add_file(tmp_path, "m/1/variables/variables.index")
    assert find_model(tmp_path, "m").path == file.parent


def test_a_saved_model_may_lie_in_a_folder_of_the_version(tmp_path: Path) -> None:
    file = add_file(tmp_path, "m/1/export/saved_model.pb")
    found = find_model(tmp_path, "m")
    assert (found.path, found.folder) == (file.parent, tmp_path / "m" / "1")


def test_the_newest_version_is_the_largest_number(tmp_path: Path) -> None:
    for version in ("2", "10", "9", "latest", "1.5"):
        add_file(tmp_path, f"m/{version}/model.h5")
    assert find_model(tmp_path, "m").version == 10


def test_labels_and_notes_beside_the_artifact_do_not_disturb(tmp_path: Path) -> None:
    path = add_file(tmp_path, "m/1/model.h5")
    add_file(tmp_path, "m/1/model.toml")
    add_file(tmp_path, "m/1/.hidden.h5")
    add_file(tmp_path, "m/1/assets/words.txt")
    assert find_model(tmp_path, "m").path == path


def test_an_unknown_model_is_told_with_those_that_exist(tmp_path: Path) -> None:
    (tmp_path / "fer").mkdir()
    (tmp_path / "digits").mkdir()
    with pytest.raises(ModelNotFound, match="has no model 'fear'; its models are: digits, fer"):
        find_model(tmp_path, "fear")


@pytest.mark.parametrize("name", ["", "../etc", "Fer", "a/b", ".hidden", "x" * 64, "a b", "é"])
def test_a_name_that_cannot_be_a_models_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelNotFound, match="cannot be a model"):
        find_model(tmp_path, name)


def test_a_model_without_a_version_folder_is_told_what_was_found(tmp_path: Path) -> None:
    add_file(tmp_path, "m/model.h5")
    message = load_error(tmp_path, "m")
    assert message.startswith(f"{tmp_path / 'm'} has no version folder")
    assert message.endswith("found model.h5.")


def test_an_empty_version_folder_is_told_what_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "m" / "1").mkdir(parents=True)
    message = load_error(tmp_path, "m")
    assert message.startswith(f"{tmp_path / 'm' / '1'} holds no model")
    for pattern in ("*.pb", "saved_model.pb", "*.h5", "*.hdf5", "*.keras", "found nothing"):
        assert pattern in message


def test_a_version_folder_of_other_files_is_told_what_was_found(tmp_path: Path) -> None:
    for index in range(10):
        add_file(tmp_path, f"m/1/part{index}.onnx")
    assert "found part0.onnx, part1.onnx" in load_error(tmp_path, "m")
    assert "and 2 more" in load_error(tmp_path, "m")


def test_several_artifacts_are_refused_by_name(tmp_path: Path) -> None:
    add_file(tmp_path, "m/1/old.h5")
    add_file(tmp_path, "m/1/new.pb")
    assert "holds several models, new.pb, old.h5; keep one" in load_error(tmp_path, "m")


@pytest.mark.parametrize("path", ["export/1700000000/saved_model.pb", "a/saved_model.pbtxt", "saved_model.pbtxt"])
def test_a_saved_model_may_lie_two_folders_deep_and_in_text_form(tmp_path: Path, path: str) -> None:
    file = add_file(tmp_path, f"m/1/{path}")
    assert find_model(tmp_path, "m").path == file.parent


def test_a_saved_model_deeper_than_that_is_none(tmp_path: Path) -> None:
    add_file(tmp_path, "m/1/a/b/c/saved_model.pb")
    assert "holds no model" in load_error(tmp_path, "m")


def test_several_saved_models_in_one_folder_are_told_with_their_paths(tmp_path: Path) -> None:
    add_file(tmp_path, "m/1/export/1/saved_model.pb")
    add_file(tmp_path, "m/1/export/2/saved_model.pb")
    assert "holds several models, export/1, export/2; keep one" in load_error(tmp_path, "m")
