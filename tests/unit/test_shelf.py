from __future__ import annotations

from pathlib import Path

import pytest

from model_store.errors import LoadError, SpecError
from model_store.version_labels import VersionLabels
from tasks.versions.shelf import Shelf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m" / "1").mkdir(parents=True)
    return tmp_path / "m"


@pytest.fixture
def shelf(tmp_path: Path, folder: Path) -> Shelf:
    return Shelf(tmp_path, "m")


def is_still(shelf: Shelf, number: int) -> bool:
    look = shelf.look()
    return shelf.stands_still(number, look.folders[number])


def test_a_folder_stands_still_when_two_looks_find_it_alike(shelf: Shelf, folder: Path) -> None:
    assert not is_still(shelf, 1)
    assert is_still(shelf, 1)
    (folder / "1" / "model.h5").write_bytes(b"half")
    assert not is_still(shelf, 1)
    (folder / "1" / "model.h5").write_bytes(b"half and half")
    assert not is_still(shelf, 1)
    assert is_still(shelf, 1)


def test_a_version_is_a_folder_named_with_a_number_and_nothing_else(shelf: Shelf, folder: Path) -> None:
    for name in ("2", "010", "20260922114500", ".3", "4.tmp", "v5", "\u0664", "9" * 16):
        (folder / name).mkdir()
    (folder / "7").write_text("a file")
    assert set(shelf.look().folders) == {1, 2, 10, 20260922114500}


def test_a_store_that_cannot_be_looked_at_is_an_error(shelf: Shelf, folder: Path) -> None:
    (folder / "1").rmdir()
    with pytest.raises(LoadError, match="has no version folder"):
        shelf.look()


def test_labels_are_followed_once_their_file_stands_still(shelf: Shelf, folder: Path) -> None:
    assert shelf.look().labels == VersionLabels()
    (folder / "versions.toml").write_text("[labels]\nstable = 1\n")
    assert shelf.look().labels == VersionLabels()
    assert shelf.look().labels.numbers == {"stable": 1}
    (folder / "versions.toml").unlink()
    assert shelf.look().labels.numbers == {"stable": 1}
    assert shelf.look().labels == VersionLabels()


def test_wrong_labels_leave_those_that_were_and_say_why_until_they_are_right(shelf: Shelf, folder: Path) -> None:
    for text in ("[labels]\nstable = 1\n", "[labels]\nstable = 'x'\n"):
        (folder / "versions.toml").write_text(text)
        shelf.look()
        look = shelf.look()
    assert look.labels.numbers == {"stable": 1}
    assert look.labels_failure and "labels.stable must be the number of a version" in look.labels_failure
    (folder / "versions.toml").write_text("")
    assert shelf.look().labels_failure == look.labels_failure
    assert shelf.look().labels_failure is None


def test_labels_that_are_wrong_at_the_start_are_refused(tmp_path: Path, folder: Path) -> None:
    (folder / "versions.toml").write_text("stable = 1")
    with pytest.raises(SpecError, match="unknown key stable"):
        Shelf(tmp_path, "m")
