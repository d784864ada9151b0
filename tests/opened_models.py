"""The model `m` of a test's store: put there, opened, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import keras
import pytest
import tensorflow as tf

from model_store.errors import LoadError, ModelStoreError
from model_store.loader import load
from model_store.model import Model
from model_store.store import find_model
from model_store.trust.digest import artifact_digest
from tests import tiny_models

Refusal = TypeVar("Refusal", bound=ModelStoreError)


def put_file(store: Path, name: str, content: bytes | str, toml: str = "") -> Path:
    """Write a file of this name and content; gives it."""
    file = tiny_models.version_folder(store, "m", toml=toml) / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def put_keras(store: Path, model: keras.Model, name: str = "m.h5", toml: str = "") -> Path:
    """Write a Keras model in the format of the name's suffix; gives the file."""
    return tiny_models.save_keras(tiny_models.version_folder(store, "m", toml=toml) / name, model)


def put_saved_model(store: Path, call: tiny_models.Call, toml: str = "", **specs: tf.TensorSpec) -> Path:
    """Write a SavedModel of a function without variables; gives its folder."""
    return tiny_models.save_saved_model(tiny_models.version_folder(store, "m", toml=toml), call, specs)


def put_module(store: Path, module: tf.Module, toml: str = "", **specs: tf.TensorSpec) -> Path:
    """Write a SavedModel of a module whose `call` has variables or tables; gives its folder."""
    folder = tiny_models.version_folder(store, "m", toml=toml)
    tf.saved_model.save(module, str(folder), signatures=module.call.get_concrete_function(**specs))
    return folder


def trust(artifact: Path) -> None:
    """Let model.toml say that this very file or folder is trusted."""
    folder = artifact if artifact.is_dir() else artifact.parent
    (folder / "model.toml").write_text(f'trusted_sha256 = ["{artifact_digest(artifact)}"]')


def loaded(store: Path, name: str = "m") -> Model:
    """The model, not warmed up."""
    return load(find_model(store, name))


def opened(store: Path, name: str = "m") -> Model:
    """The model, warmed up."""
    model = loaded(store, name)
    model.warm_up()
    return model


def refused(store: Path, kind: type[Refusal]) -> Refusal:
    """Check that `m` cannot be opened, and that one line says so that begins with the path; gives the error."""
    with pytest.raises(kind) as caught:
        loaded(store)
    assert str(caught.value).startswith(str(store / "m" / "1"))
    assert "\n" not in str(caught.value)
    return caught.value


def refusal(store: Path, kind: type[ModelStoreError] = LoadError) -> str:
    """The sentence with which `m` is refused."""
    return str(refused(store, kind))
