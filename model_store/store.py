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
SAVED_MODEL_TEXT_FILE = "saved_model.pbtxt"
SAVED_MODEL_FILES = (SAVED_MODEL_FILE, SAVED_MODEL_TEXT_FILE)
# Exporters wrap a SavedModel in a folder of its name, and that in one named by the time of the export.
SAVED_MODEL_DEPTH = 2
FILE_SUFFIXES = (".pb", ".h5", ".hdf5", ".keras")
# Dates with a time of day are in use as versions; JSON's readers keep whole numbers of this length.
LONGEST_NUMBER = 15
# What else may hold a graph, and often lies beside a model that has one of those: its text form, a detector's label
# map, a checkpoint's graph.
OTHER_GRAPH_SUFFIXES = (".pbtxt", ".meta")
GRAPH_SUFFIXES = (".pb", *OTHER_GRAPH_SUFFIXES)
# They lie beside a SavedModel's file and say of it what serving does not ask.
COMPANIONS = ("fingerprint.pb", "keras_metadata.pb")
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
    return sorted(folder.name for folder in visible_entries(root) if folder.is_dir())


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
    entries = visible_entries(root / name)
    folders = {int(entry.name): entry for entry in entries if entry.is_dir() and is_version_name(entry.name)}
    if not folders:
        raise LoadError(
            f"{root / name} has no version folder: expected one named with a whole number, such as 1, that holds "
            f"{LOOKED_FOR}; found {_listed(_names(entries))}."
        )
    return folders


def find_version(name: str, folder: Path) -> StoredModel:
    """The artifact of a version folder.

    Raises:
        LoadError: It has not exactly one.
    """
    return StoredModel(name, int(folder.name), artifact_in(folder), folder)


def _check_model(root: Path, name: str) -> None:
    if not MODEL_NAME.fullmatch(name):
        message = "may have up to 63 lower-case letters, digits, '.', '_' and '-', and starts with a letter or a digit"
        raise ModelNotFound(f"{name[:80]!r} cannot be a model: a name {message}.")
    if not (root / name).is_dir():
        known = ", ".join(find_models(root)) or "none"
        raise ModelNotFound(f"{root} has no model {name!r}; its models are: {known}.")


def is_version_name(name: str) -> bool:
    """Whether a folder of this name is a version: a whole number."""
    return name.isascii() and name.isdigit() and len(name) <= LONGEST_NUMBER


def artifact_in(folder: Path) -> Path:
    """The one artifact of a version folder. Raises LoadError where it has not exactly one."""
    if _is_saved_model(folder):
        return folder
    entries = visible_entries(folder)
    artifacts = [artifact for entry in entries for artifact in _artifacts(entry, SAVED_MODEL_DEPTH)]
    artifacts = artifacts or [entry for entry in entries if entry.suffix.lower() in OTHER_GRAPH_SUFFIXES]
    if len(artifacts) > 1:
        named = [str(artifact.relative_to(folder)) for artifact in artifacts]
        raise LoadError(f"{folder} holds several models, {_listed(named)}; keep one, as a version has one.")
    if not artifacts:
        raise LoadError(f"{folder} holds no model: expected {LOOKED_FOR}; found {_listed(_names(entries))}.")
    return artifacts[0]


def _artifacts(entry: Path, depth: int) -> list[Path]:
    """The entry where it is an artifact; of a folder that is none the SavedModels in it, down to so many folders."""
    if not entry.is_dir():
        return [entry] if entry.suffix.lower() in FILE_SUFFIXES and entry.name not in COMPANIONS else []
    if _is_saved_model(entry):
        return [entry]
    folders = [inner for inner in visible_entries(entry) if inner.is_dir()] if depth > 1 else []
    return [artifact for inner in folders for artifact in _artifacts(inner, depth - 1)]


def _is_saved_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in SAVED_MODEL_FILES)


def visible_entries(folder: Path) -> list[Path]:
    """What is in a folder and not hidden, sorted. Raises LoadError where it cannot be read."""
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise LoadError(f"{folder} cannot be read as a folder: {error.strerror}.") from None


def _names(entries: list[Path]) -> list[str]:
    return [entry.name for entry in entries]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "nothing"
