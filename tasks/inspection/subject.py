"""What is to be inspected: the artifact that a path means, and where its model.toml is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model_store.errors import LoadError
from model_store.file_format import GRAPH, GRAPH_TEXT, KERAS_HDF5, KERAS_ZIP, OTHER, SAVED_MODEL, recognize
from model_store.spec import SPEC_FILE_NAME
from model_store.store import SAVED_MODEL_FILE, artifact_in
from model_store.trust.digest import SAVED_MODEL_FOLDERS

FORMATS = {
    KERAS_HDF5: "keras",
    KERAS_ZIP: "keras",
    GRAPH: "frozen_graph",
    GRAPH_TEXT: "frozen_graph",
    SAVED_MODEL: "saved_model",
}


@dataclass(frozen=True)
class Subject:
    """A model to inspect.

    Attributes:
        path: The artifact: a file, or the folder of a SavedModel.
        folder: Where its model.toml is or would be: the version folder in a store, else where the artifact is.
        version: The version folder's number; None outside of a store.
    """

    path: Path
    folder: Path
    version: int | None

    @property
    def linked_folder(self) -> Path:
        """In which links are looked at: as in a worker the version folder, outside of a store only the artifact."""
        return self.path if self.version is None else self.folder

    @property
    def root(self) -> Path:
        """Out of where no link may lead: the store, or the artifact."""
        return self.path if self.version is None else self.folder.parents[1]

    @property
    def spec_file(self) -> Path | None:
        """The model.toml that holds for it: beside it, or in a store also that of the model's folder."""
        folders = (self.folder,) if self.version is None else (self.folder, self.folder.parent)
        return next((file for folder in folders if (file := folder / SPEC_FILE_NAME).is_file()), None)

    @property
    def format(self) -> str | None:
        """The format that its first bytes tell: "frozen_graph", "saved_model" or "keras"; None for any other."""
        return "saved_model" if self.path.is_dir() else FORMATS.get(recognize(self.path).name)

    @property
    def size_bytes(self) -> int:
        """The size of all its files."""
        return sum(file.stat().st_size for file in self._files())

    def _files(self) -> Iterator[Path]:
        if self.path.is_file():
            yield self.path
            return
        yield from (file for file in self.path.iterdir() if file.is_file() and file.name != SPEC_FILE_NAME)
        for name in SAVED_MODEL_FOLDERS:
            yield from (file for file in (self.path / name).rglob("*") if file.is_file())


def find_subject(path: Path) -> Subject:
    """Find out what a path means: an artifact, a version folder, or a model's folder, of which the newest version.

    Raises:
        LoadError: There is nothing, or no model in it, or several.
    """
    path = path.absolute()
    if path.is_dir():
        versions = [entry for entry in path.iterdir() if entry.is_dir() and _is_number(entry.name)]
        folder = max(versions, key=lambda entry: int(entry.name), default=path)
        artifact = artifact_in(folder)
    elif path.is_file():
        artifact = path.parent if path.name == SAVED_MODEL_FILE else path
        folder = artifact if artifact.is_dir() else path.parent
    else:
        raise LoadError(f"{path} {'is neither a file nor a folder' if path.exists() else 'does not exist'}.")
    if artifact == folder and not _is_number(folder.name) and _is_number(folder.parent.name):
        folder = folder.parent
    version = int(folder.name) if _is_number(folder.name) else None
    return Subject(artifact, folder if version is not None else _own_folder(artifact), version)


def _own_folder(artifact: Path) -> Path:
    return artifact if artifact.is_dir() else artifact.parent


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def refuse_other_files(subject: Subject) -> None:
    """Raise LoadError for a file of a kind that cannot be opened, so that nothing has to be started to tell it."""
    if subject.path.is_file():
        found = recognize(subject.path)
        if found.name == OTHER:
            raise LoadError(f"{subject.path} is no model that can be served but {found.what}. {found.advice}".rstrip())
