"""The model store: the folder `<name>/<version>/<artifact>`, looked through without opening a model.

An artifact is what holds the model itself: a frozen graph `.pb`, a SavedModel folder, or a Keras file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from model_store.errors import LoadError, ModelNotFound

MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
SAVED_MODEL_FILE = "saved_model.pb"
FILE_SUFFIXES = (".pb", ".h5", ".hdf5", ".keras")
LOOKED_FOR = "a frozen graph *.pb, a SavedModel folder with saved_model.pb, or a Keras file *.h5, *.hdf5, *.keras"


@dataclass(frozen=True)
class StoredModel:
    """A model's newest version, as found.

    Attributes:
        name: The model's name, its folder's.
        version: The version folder's number.
        path: The artifact: a file, or the folder of a SavedModel.
        folder: The version folder.
    """

    name: str
    version: int
    path: Path
    folder: Path


def find_models(root: Path) -> list[str]:
    """The names of all models, sorted: every visible folder, also one that will turn out to be broken.

    Raises:
        LoadError: The store is not a folder that can be read.
    """
    return sorted(folder.name for folder in _visible(root) if folder.is_dir())


def find_model(root: Path, name: str) -> StoredModel:
    """Find a model's newest version and its artifact.

    Raises:
        ModelNotFound: The store has no such model, or the name cannot be a model's.
        LoadError: Its folder has no version, or that version not exactly one artifact.
    """
    if not MODEL_NAME.fullmatch(name):
        message = "may have up to 63 lower-case letters, digits, '.', '_' and '-', and starts with a letter or a digit"
        raise ModelNotFound(f"{name[:80]!r} cannot be a model: a name {message}.")
    if not (root / name).is_dir():
        known = ", ".join(find_models(root)) or "none"
        raise ModelNotFound(f"{root} has no model {name!r}; its models are: {known}.")
    folder = _newest_version(root / name)
    return StoredModel(name, int(folder.name), _find_artifact(folder), folder)


def _newest_version(model_folder: Path) -> Path:
    entries = _visible(model_folder)
    versions = [entry for entry in entries if entry.is_dir() and entry.name.isascii() and entry.name.isdigit()]
    if not versions:
        raise LoadError(
            f"{model_folder} has no version folder: expected one named with a whole number, such as 1, that holds "
            f"{LOOKED_FOR}; found {_listed(entries)}."
        )
    return max(versions, key=lambda folder: int(folder.name))


def _find_artifact(folder: Path) -> Path:
    if (folder / SAVED_MODEL_FILE).is_file():
        return folder
    entries = _visible(folder)
    artifacts = [entry for entry in entries if _is_artifact(entry)]
    if len(artifacts) > 1:
        raise LoadError(f"{folder} holds several models, {_listed(artifacts)}; keep one, as a version has one.")
    if not artifacts:
        raise LoadError(f"{folder} holds no model: expected {LOOKED_FOR}; found {_listed(entries)}.")
    return artifacts[0]


def _is_artifact(entry: Path) -> bool:
    if entry.is_dir():
        return (entry / SAVED_MODEL_FILE).is_file()
    return entry.suffix.lower() in FILE_SUFFIXES


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise LoadError(f"{folder} cannot be read as a folder: {error.strerror}.") from None


def _listed(entries: list[Path]) -> str:
    names = [entry.name for entry in entries]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "nothing"


def find_stored(path: Path) -> StoredModel:
    """The model at a path, in a store or not: an artifact, or a folder of a version or of a model.

    What is in no version folder counts as version 1, and is named after its file or folder.

    Raises:
        LoadError: There is no model, or there are several.
    """
    path = path.resolve()
    if path.is_dir() and not (path / SAVED_MODEL_FILE).is_file():
        entries = _visible(path)
        if any(entry.is_dir() and entry.name.isdigit() for entry in entries):
            path = _newest_version(path)
        path = _find_artifact(path)
    if not path.exists():
        raise LoadError(f"{path} does not exist.")
    folders = [folder for folder in (path, path.parent) if folder.name.isascii() and folder.name.isdigit()]
    if folders:
        return StoredModel(folders[0].parent.name, int(folders[0].name), path, folders[0])
    return StoredModel(path.stem, 1, path, path if path.is_dir() else path.parent)
