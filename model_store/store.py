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
# Dates with a time of day are in use as versions; JSON's readers keep whole numbers of this length.
LONGEST_NUMBER = 15
LOOKED_FOR = "a frozen graph *.pb, a SavedModel folder with saved_model.pb, or a Keras file *.h5, *.hdf5, *.keras"


@dataclass(frozen=True)
class StoredModel:
    """A version of a model, as found.

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
    folders = find_versions(root, name)
    return find_version(name, folders[max(folders)])


def find_versions(root: Path, name: str) -> dict[int, Path]:
    """The version folders of a model by their number, also those that will turn out to be broken.

    Raises:
        ModelNotFound: As for `find_model`.
        LoadError: There is none, or the model's folder cannot be read.
    """
    _check_model(root, name)
    entries = _visible(root / name)
    folders = {int(entry.name): entry for entry in entries if _is_version(entry)}
    if not folders:
        raise LoadError(
            f"{root / name} has no version folder: expected one named with a whole number, such as 1, that holds "
            f"{LOOKED_FOR}; found {_listed(entries)}."
        )
    return folders


def find_version(name: str, folder: Path) -> StoredModel:
    """The artifact of a version folder.

    Raises:
        LoadError: It has not exactly one.
    """
    return StoredModel(name, int(folder.name), _find_artifact(folder), folder)


def _check_model(root: Path, name: str) -> None:
    if not MODEL_NAME.fullmatch(name):
        message = "may have up to 63 lower-case letters, digits, '.', '_' and '-', and starts with a letter or a digit"
        raise ModelNotFound(f"{name[:80]!r} cannot be a model: a name {message}.")
    if not (root / name).is_dir():
        known = ", ".join(find_models(root)) or "none"
        raise ModelNotFound(f"{root} has no model {name!r}; its models are: {known}.")


def _is_version(entry: Path) -> bool:
    return entry.is_dir() and entry.name.isascii() and entry.name.isdigit() and len(entry.name) <= LONGEST_NUMBER


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
