"""What is to be inspected: the model that a path means, which files it has, and where its model.toml is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model_store.errors import LoadError
from model_store.file_format import GRAPH, GRAPH_TEXT, KERAS_HDF5, KERAS_ZIP, OTHER, SAVED_MODEL, recognize
from model_store.located_model import LocatedModel, locate_model
from model_store.spec import SPEC_FILE_NAME
from model_store.trust.digest import SAVED_MODEL_FOLDERS

FORMATS = {
    KERAS_HDF5: "keras",
    KERAS_ZIP: "keras",
    GRAPH: "frozen_graph",
    GRAPH_TEXT: "frozen_graph",
    SAVED_MODEL: "saved_model",
}


@dataclass(frozen=True)
class Subject(LocatedModel):
    """A model to inspect, by its path."""

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
    """The model that a path means. Raises LoadError as `locate_model` does."""
    located = locate_model(path)
    return Subject(located.path, located.folder, located.version)


def refuse_other_files(subject: Subject) -> None:
    """Raise LoadError for a file of a kind that cannot be opened, so that nothing has to be started to tell it."""
    if subject.path.is_file():
        found = recognize(subject.path)
        if found.name == OTHER:
            raise LoadError(f"{subject.path} is no model that can be served but {found.what}. {found.advice}".rstrip())
