"""A model by a path, in a store or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_store.errors import LoadError
from model_store.store import SAVED_MODEL_FILE, StoredModel, artifact_in, is_version_name, visible_entries


@dataclass(frozen=True)
class LocatedModel:
    """A model, wherever it lies.

    Attributes:
        path: The artifact: a file, or the folder of a SavedModel.
        folder: Where its model.toml is or would be: the version folder in a store, else where the artifact is.
        version: The version folder's number; None outside of a store.
    """

    path: Path
    folder: Path
    version: int | None

    @property
    def stored(self) -> StoredModel:
        """As if it were in a store: outside of one it is version 1, named after its file or folder."""
        if self.version is None:
            return StoredModel(self.path.stem, 1, self.path, self.folder)
        return StoredModel(self.folder.parent.name, self.version, self.path, self.folder)


def locate_model(path: Path) -> LocatedModel:
    """Find out what a path means: an artifact, a version folder, or a model's folder, of which the newest version.

    Raises:
        LoadError: There is nothing, or no model in it, or several.
    """
    path = path.absolute()
    if path.is_dir():
        versions = [entry for entry in visible_entries(path) if entry.is_dir() and is_version_name(entry.name)]
        folder = max(versions, key=lambda entry: int(entry.name), default=path)
        artifact = artifact_in(folder)
    elif path.is_file():
        artifact = path.parent if path.name == SAVED_MODEL_FILE else path
        folder = artifact if artifact.is_dir() else path.parent
    else:
        raise LoadError(f"{path} {'is neither a file nor a folder' if path.exists() else 'does not exist'}.")
    if artifact == folder and not is_version_name(folder.name) and is_version_name(folder.parent.name):
        folder = folder.parent
    if is_version_name(folder.name):
        return LocatedModel(artifact, folder, int(folder.name))
    return LocatedModel(artifact, artifact if artifact.is_dir() else artifact.parent, None)
