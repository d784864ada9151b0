from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from model_store.fingerprint import fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "m" / "1"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"model")
    (folder / "variables" / "data").write_bytes(b"weights")
    return folder


def rewrite_with_its_old_time(folder: Path) -> None:
    file = folder / "variables" / "data"
    stat = file.stat()
    file.write_bytes(b"WEIGHTS")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "variables" / "data").write_bytes(b"more weights"),
        lambda folder: (folder / "variables" / "index").touch(),
        lambda folder: (folder / "saved_model.pb").unlink(),
        lambda folder: (folder / "saved_model.pb").rename(folder / "model.pb"),
        lambda folder: (folder.parent / "model.toml").touch(),
        rewrite_with_its_old_time,
    ],
    ids=["longer", "new", "gone", "renamed", "the model's toml", "same length, old time"],
)
def test_every_change_of_a_file_changes_it(folder: Path, change: Callable[[Path], object]) -> None:
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    change(folder)
    assert fingerprint(folder) != before


def test_other_versions_and_labels_do_not_change_it(folder: Path) -> None:
    before = fingerprint(folder)
    (folder.parent / "versions.toml").touch()
    (folder.parent / "2").mkdir()
    assert fingerprint(folder) == before


def test_links_in_a_circle_and_to_nowhere_have_one_too(folder: Path) -> None:
    (folder / "variables" / "up").symlink_to(folder)
    (folder / "lost").symlink_to("nowhere")
    assert fingerprint(folder) == fingerprint(folder)


def test_a_folder_that_is_gone_has_another(folder: Path) -> None:
    assert fingerprint(folder.parent / "7") != fingerprint(folder)
