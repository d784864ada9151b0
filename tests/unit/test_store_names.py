"""Nobody reaches what lies outside the model store by the name of a model; only who writes into the store can."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given

from model_store.errors import ModelNotFound
from model_store.store import find_model, find_models
from tests.hostile_names import NAMES


def add_model(folder: Path) -> Path:
    file = folder / "1" / "model.pb"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    return file


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one model, and beside it what looks like one."""
    folder = tmp_path_factory.mktemp("names")
    add_model(folder / "outside")
    add_model(folder / "store" / "digits")
    (folder / "1").mkdir()
    return folder / "store"


@given(name=NAMES)
@example(name="../outside")
@example(name="digits/../../outside")
@example(name="digits\n")
@example(name="digits\0")
@example(name="..")
def test_a_name_is_a_folder_of_the_store_or_no_model(store: Path, name: str) -> None:
    try:
        found = find_model(store, name)
    except ModelNotFound as error:
        assert len(str(error)) < 1000
        assert name != "digits"
    else:
        assert name == "digits"
        assert found.path == store / "digits" / "1" / "model.pb"


def test_a_link_to_nowhere_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    assert find_models(tmp_path) == []
    with pytest.raises(ModelNotFound):
        find_model(tmp_path, "lost")
