"""A link in the store leads within the store, or nothing behind it is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model_store.errors import LoadError, SpecError, Untrusted
from model_store.file_format import recognize
from model_store.store import find_model, find_models
from model_store.trust.store_links import refuse_links_outside
from model_store.version_labels import read_version_labels


def add_model(folder: Path) -> Path:
    file = folder / "1" / "model.pb"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    return file


def refusal(store: Path, name: str = "m") -> str:
    with pytest.raises(Untrusted) as caught:
        refuse_links_outside(find_model(store, name).folder, store)
    return str(caught.value)


def test_links_within_the_store_are_followed(tmp_path: Path) -> None:
    file = add_model(tmp_path / "store" / "m")
    (tmp_path / "store" / "same").symlink_to(file.parents[1])
    (tmp_path / "store" / "newer" / "2").mkdir(parents=True)
    (tmp_path / "store" / "newer" / "2" / "model.pb").symlink_to("../../m/1/model.pb")
    assert find_models(tmp_path / "store") == ["m", "newer", "same"]
    for name in ("m", "newer", "same"):
        found = find_model(tmp_path / "store", name)
        refuse_links_outside(found.folder, tmp_path / "store")
        assert found.path.resolve() == file


def test_the_store_itself_may_be_a_link(tmp_path: Path) -> None:
    add_model(tmp_path / "elsewhere" / "m")
    (tmp_path / "store").symlink_to(tmp_path / "elsewhere")
    refuse_links_outside(find_model(tmp_path / "store", "m").folder, tmp_path / "store")


@pytest.mark.parametrize("link", ["m", "m/1", "m/1/model.pb"])
def test_a_model_a_version_and_an_artifact_do_not_lead_out_of_the_store(tmp_path: Path, link: str) -> None:
    add_model(tmp_path / "elsewhere" / "m")
    (tmp_path / "store" / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "store" / link).symlink_to(tmp_path / "elsewhere" / link)
    message = refusal(tmp_path / "store")
    assert f"as it leads out of the model store to {tmp_path / 'elsewhere' / 'm'}" in message
    assert "Copy that into the store" in message


def test_nothing_beside_the_artifact_leads_out_of_the_store(tmp_path: Path) -> None:
    file = add_model(tmp_path / "store" / "m")
    (file.parent / "assets").mkdir()
    (file.parent / "assets" / "words.txt").symlink_to("/etc/passwd")
    assert "words.txt is refused, as it leads out" in refusal(tmp_path / "store")


def test_a_link_behind_a_link_does_not_lead_out_either(tmp_path: Path) -> None:
    file = add_model(tmp_path / "store" / "m")
    (tmp_path / "store" / ".shared").mkdir()
    (tmp_path / "store" / ".shared" / "words.txt").symlink_to("/etc/passwd")
    (file.parent / "assets").symlink_to("../../.shared")
    assert "words.txt is refused" in refusal(tmp_path / "store")


def test_a_folder_beside_the_store_with_a_longer_name_is_outside(tmp_path: Path) -> None:
    add_model(tmp_path / "store-old" / "m")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "m").symlink_to(tmp_path / "store-old" / "m")
    refusal(tmp_path / "store")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    file = add_model(tmp_path / "store" / "m")
    (file.parent / "again").symlink_to(file.parent)
    (file.parent / "up").symlink_to("..")
    refuse_links_outside(find_model(tmp_path / "store", "m").folder, tmp_path / "store")


def test_a_link_to_itself_is_told(tmp_path: Path) -> None:
    file = add_model(tmp_path / "store" / "m")
    (file.parent / "self").symlink_to("self")
    with pytest.raises(LoadError, match="cannot be looked through"):
        refuse_links_outside(find_model(tmp_path / "store", "m").folder, tmp_path / "store")


def test_a_link_to_nowhere_is_told_by_whoever_reads_it(tmp_path: Path) -> None:
    file = add_model(tmp_path / "store" / "m")
    (file.parent / "lost").symlink_to("nowhere")
    refuse_links_outside(find_model(tmp_path / "store", "m").folder, tmp_path / "store")


def test_a_pipe_is_never_waited_for(tmp_path: Path) -> None:
    # Given pipes, which nobody writes to, in the place of a model, of an asset and of versions.toml
    for name in ("m/1/model.pb", "n/1/assets/words.txt", "n/versions.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(tmp_path / name)

    # Then each of them is refused at once
    for folder in ("m/1", "n/1"):
        with pytest.raises(LoadError, match="is neither a file nor a folder"):
            refuse_links_outside(tmp_path / folder, tmp_path)
    with pytest.raises(LoadError, match=r"model\.pb is not a file"):
        recognize(tmp_path / "m" / "1" / "model.pb")
    with pytest.raises(SpecError, match=r"versions\.toml cannot be read: it is not a file"):
        read_version_labels(tmp_path / "n")


def test_a_name_with_a_line_break_makes_no_second_line() -> None:
    error = LoadError("it has no output a\nb\x1b[2J\udc80, Größe 猫.")
    assert str(error) == r"it has no output a\nb\x1b[2J\udc80, Größe 猫."
