from __future__ import annotations

from pathlib import Path

from tasks.supervisor.unopened_model import COPIES, EMPTY_WORKER_BYTES, guess_bytes, newest_version


def add_version(store: Path, version: int, size: int) -> Path:
    folder = store / "digits" / str(version)
    folder.mkdir(parents=True)
    (folder / "model.pb").write_bytes(b"1" * size)
    return folder


def test_a_models_memory_is_guessed_by_the_file_of_its_newest_version(tmp_path: Path) -> None:
    add_version(tmp_path, 1, 5)
    add_version(tmp_path, 2, 70)
    assert newest_version(tmp_path, "digits") == 2
    assert guess_bytes(tmp_path, "digits") == EMPTY_WORKER_BYTES + COPIES * 70


def test_a_folders_files_count_together(tmp_path: Path) -> None:
    folder = tmp_path / "digits" / "1"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"1" * 10)
    (folder / "variables" / "variables.data").write_bytes(b"1" * 30)
    assert guess_bytes(tmp_path, "digits") == EMPTY_WORKER_BYTES + COPIES * 40


def test_what_cannot_be_found_is_left_to_its_worker_to_tell(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    assert newest_version(tmp_path, "digits") is None
    assert guess_bytes(tmp_path, "digits") == EMPTY_WORKER_BYTES
