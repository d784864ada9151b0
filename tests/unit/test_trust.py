from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from model_store.errors import LoadError, SpecError
from model_store.spec import ModelSpec, parse_spec
from model_store.trust.digest import artifact_digest, is_trusted

SHELL = "find saved_model.pb assets* variables -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"


def printed_digest(folder: Path) -> str:
    return subprocess.run(SHELL, shell=True, cwd=folder, capture_output=True, text=True, check=True).stdout.split()[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A SavedModel's folder, as far as its digest looks at it."""
    for name in ("saved_model.pb", "variables/variables.index", "assets/words.txt", "assets/b/Z.txt", "assets.extra/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_file_is_trusted_by_the_digest_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(b"model")
    digest = hashlib.sha256(b"model").hexdigest()
    assert artifact_digest(tmp_path / "m.h5") == digest
    assert is_trusted(tmp_path / "m.h5", ModelSpec(trusted_sha256=("0" * 64, digest)))
    assert not is_trusted(tmp_path / "m.h5", ModelSpec(trusted_sha256=("0" * 64,)))
    (tmp_path / "m.h5").write_bytes(b"Model")
    assert not is_trusted(tmp_path / "m.h5", ModelSpec(trusted_sha256=(digest,)))


def test_nothing_is_trusted_where_model_toml_does_not_say_so(tmp_path: Path) -> None:
    assert not is_trusted(tmp_path / "missing.h5", ModelSpec())


def test_a_folders_digest_is_that_of_what_sha256sum_prints(folder: Path) -> None:
    assert artifact_digest(folder) == printed_digest(folder)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index", "assets/b/Z.txt", "assets/new.txt"])
def test_a_folders_digest_changes_with_each_of_its_files(folder: Path, name: str) -> None:
    before = artifact_digest(folder)
    (folder / name).write_text("other")
    assert artifact_digest(folder) != before


def test_a_saved_models_file_of_another_name_has_a_digest_with_the_files_beside_it(folder: Path) -> None:
    (folder / "saved_model.pb").rename(folder / "model.pb")
    # What begins so is a SavedModel's file, whatever its name.
    (folder / "model.pb").write_bytes(b"\x08\x01\x12graph")
    digest = artifact_digest(folder / "model.pb")
    (folder / "variables" / "variables.index").write_text("others")
    assert artifact_digest(folder / "model.pb") != digest


def test_a_folders_digest_changes_when_files_swap_their_contents(folder: Path) -> None:
    before = artifact_digest(folder)
    (folder / "assets" / "words.txt").write_text("assets/b/Z.txt")
    (folder / "assets" / "b" / "Z.txt").write_text("assets/words.txt")
    assert artifact_digest(folder) != before


def test_model_toml_and_notes_are_not_in_a_folders_digest(folder: Path) -> None:
    before = artifact_digest(folder)
    (folder / "model.toml").write_text(f'trusted_sha256 = ["{before}"]')
    (folder / "README.md").write_text("A model.")
    assert artifact_digest(folder) == before


def test_a_name_with_a_line_break_does_not_pass_for_two_files(folder: Path) -> None:
    (folder / "assets" / "a\nb\\c\r").write_text("x")
    assert artifact_digest(folder) == printed_digest(folder)


def test_a_linked_folder_within_has_no_digest(folder: Path) -> None:
    (folder / "assets" / "more").symlink_to(folder / "variables")
    with pytest.raises(LoadError, match="more is a link to a folder"):
        artifact_digest(folder)


def test_an_artifact_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"missing.h5 cannot be read: No such file"):
        artifact_digest(tmp_path / "missing.h5")


@pytest.mark.parametrize("value", ['"abc"', '["abc"]', "[1]", f'["{"g" * 64}"]'])
def test_what_is_no_list_of_digests_is_refused(value: str) -> None:
    with pytest.raises(SpecError, match="trusted_sha256 must be a list of SHA-256 digests, of 64 hex digits each"):
        parse_spec(f"trusted_sha256 = {value}", Path("model.toml"))
