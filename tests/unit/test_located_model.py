"""A model named by its path, in a store or anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_store.errors import LoadError
from model_store.located_model import locate_model
from model_store.store import StoredModel


def file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"model")
    return path


def test_a_file_of_a_store_its_version_and_its_model_are_the_same_model(tmp_path: Path) -> None:
    artifact = file(tmp_path / "fer" / "2" / "weights.h5")
    file(tmp_path / "fer" / "1" / "old.h5")
    wanted = StoredModel("fer", 2, artifact, artifact.parent)
    assert locate_model(artifact).stored == wanted
    assert locate_model(artifact.parent).stored == wanted
    assert locate_model(tmp_path / "fer").stored == wanted


def test_a_saved_model_is_a_version_or_lies_in_one(tmp_path: Path) -> None:
    version = file(tmp_path / "a" / "3" / "saved_model.pb").parent
    assert locate_model(version).stored == StoredModel("a", 3, version, version)
    file(tmp_path / "b" / "4" / "export" / "saved_model.pb")
    inner = tmp_path / "b" / "4" / "export"
    assert locate_model(inner).stored == locate_model(inner.parent).stored == StoredModel("b", 4, inner, inner.parent)


def test_what_lies_elsewhere_is_named_after_its_file_or_folder(tmp_path: Path) -> None:
    artifact = file(tmp_path / "downloads" / "net.keras")
    assert locate_model(artifact).stored == StoredModel("net", 1, artifact, artifact.parent)
    folder = file(tmp_path / "export" / "saved_model.pb").parent
    assert locate_model(folder).stored == StoredModel("export", 1, folder, folder)


def test_a_path_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="does not exist"):
        locate_model(tmp_path / "ghost.h5")
    with pytest.raises(LoadError, match="holds no model"):
        locate_model(tmp_path)
