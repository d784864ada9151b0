"""What a model's folder in the store holds from one look to the next, and whether its files stand still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_store.errors import SpecError
from model_store.fingerprint import fingerprint
from model_store.store import find_versions
from model_store.version_labels import LABELS_FILE_NAME, VersionLabels, read_version_labels


@dataclass(frozen=True)
class Look:
    """What was found: version folders by number, labels, and why the labels are older than their file, if they are."""

    folders: Mapping[int, Path]
    labels: VersionLabels
    labels_failure: str | None = None


class Shelf:
    """One model's folder.

    Args:
        store: the model store.
        name: the model.

    Raises:
        SpecError: its versions.toml is wrong. Later ones that are wrong leave the labels as they are.
    """

    def __init__(self, store: Path, name: str) -> None:
        self._store = store
        self._name = name
        self._labels = read_version_labels(store / name)
        self._labels_failure: str | None = None
        self._labels_seen = self._labels_file()
        self._marks: dict[int, str] = {}
        self._marks_before: dict[int, str] = {}

    def look(self) -> Look:
        """Look anew. What is copied into the folder meanwhile may be found in part.

        Raises:
            ModelStoreError: there is no version, or the store cannot be read.
        """
        self._marks_before, self._marks = self._marks, {}
        self._follow_labels()
        return Look(find_versions(self._store, self._name), self._labels, self._labels_failure)

    def mark(self, number: int, folder: Path) -> str:
        """What a version's files look like, since the last look."""
        if number not in self._marks:
            self._marks[number] = fingerprint(folder)
        return self._marks[number]

    def stands_still(self, number: int, folder: Path) -> bool:
        """Whether a version's files look as they did at the look before, so that nobody seems to write them."""
        return self._marks_before.get(number) == self.mark(number, folder)

    def _follow_labels(self) -> None:
        """Read the labels again where their file has changed, once it stands still."""
        seen, before = self._labels_file(), self._labels_seen
        self._labels_seen = seen
        if seen != before:
            return
        try:
            self._labels, self._labels_failure = read_version_labels(self._store / self._name), None
        except SpecError as error:
            self._labels_failure = str(error)

    def _labels_file(self) -> bytes | None:
        try:
            return (self._store / self._name / LABELS_FILE_NAME).read_bytes()
        except OSError:
            return None
