"""The versions of a model that are served, and which of them a job gets that names none, a number or a label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from api.errors import VersionNotFound
from api.model_card import ModelCard, parse_card, read_card
from model_store.version_labels import LATEST
from model_store.versions import default_label, drawn_label
from tasks.model_registry import LiveWorker, ModelRecord

#: A UUIDv7 ends with 62 random bits; these are the last of them.
_DRAW_BITS = 52


@dataclass(frozen=True)
class Choice:
    """What a job gets: a version's card, and the label by which; empty where it named a number, or gets the default."""

    card: ModelCard
    label: str = ""


@dataclass(frozen=True)
class ModelVersions:
    """What is served of a model, by all of its live workers.

    Attributes:
        name: The model.
        cards: By version, those served.
        labels: Label to version, `latest` among them.
        shares: Label to its share of the jobs that name no version.
    """

    name: str
    cards: Mapping[int, ModelCard]
    labels: Mapping[str, int]
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def default(self) -> ModelCard:
        """The version of a job that names none and gets no share."""
        return self.cards[self.labels[default_label(self.labels)]]

    def choose(self, asked: str | None, job_id: str) -> Choice:
        """The version of a job.

        Args:
            asked: the number or the label that it names, if it does.
            job_id: its own, by which it is drawn for a share; the same id is drawn the same way again.

        Raises:
            VersionNotFound: it is not served; the sentence names what is.
        """
        if asked is None:
            label = drawn_label(self.shares, self.labels, _draw(job_id))
            return Choice(self.cards[self.labels[label]], label) if label else Choice(self.default)
        if asked in self.labels:
            return Choice(self.cards[self.labels[asked]], asked)
        number = next((number for number in self.cards if str(number) == asked), None)
        if number is None:
            raise VersionNotFound(f"Model {self.name!r} has no version {asked[:40]!r}; served are {self._served()}.")
        return Choice(self.cards[number])

    def _served(self) -> str:
        numbers = [str(number) for number in sorted(self.cards)]
        return ", ".join([*numbers, *(f"{label} ({self.labels[label]})" for label in sorted(self.labels))])


def read_versions(record: ModelRecord) -> ModelVersions:
    """What is served of a model.

    Raises:
        ModelNotReady: none of its workers was ever ready; the sentence says why, where that is known.
    """
    own = read_card(record)
    card: Mapping[str, Any] = record.card or {}
    loaded = {int(number): parse_card(text) for number, text in card.get("versions", {}).items()} or {own.version: own}
    labels = card.get("labels_of_versions", {LATEST: own.version})
    numbers, agreed = agree(loaded, labels, record.workers)
    return ModelVersions(record.name, {n: loaded[n] for n in numbers}, agreed, card.get("shares", {}))


def agree(
    loaded: Iterable[int], labels: Mapping[str, int], workers: Iterable[LiveWorker]
) -> tuple[list[int], dict[str, int]]:
    """The versions and labels that every live worker serves, so that any of them can run a job that names one.

    Args:
        loaded: the versions of one of the workers, that which spoke last.
        labels: its labels.
        workers: those that live; one that tells of no versions has nothing against any.

    Returns:
        The versions, and label to version. While workers change from one to the next, a label may be at one version
        here and at another there; then it is at the newest that all have.
    """
    tell = [worker for worker in workers if worker.versions]
    named = set(labels.values()).union(*(worker.labels.values() for worker in tell))
    common = sorted(n for n in loaded if n in named and all(n in worker.versions for worker in tell))
    numbers = common or sorted(set(labels.values()))
    shared = {label: n for label, n in labels.items() if label == LATEST or all(label in w.labels for w in tell)}
    return numbers, {label: number if number in numbers else numbers[-1] for label, number in shared.items()}


def _draw(job_id: str) -> float:
    return (UUID(job_id).int & (1 << _DRAW_BITS) - 1) / (1 << _DRAW_BITS)
