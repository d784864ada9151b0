"""What a model's workers have said of it, as far as a request can be checked against it."""

from __future__ import annotations

from dataclasses import dataclass

from api.errors import ModelNotReady, VersionNotFound
from model_store.signature import Signature
from tasks.model_registry import ModelRecord


@dataclass(frozen=True)
class ModelCard:
    """A model that was ready at least once."""

    name: str
    version: int
    is_detector: bool
    takes_pictures: bool
    signature: Signature


def read_card(record: ModelRecord) -> ModelCard:
    """The card of a model.

    Raises:
        ModelNotReady: none of its workers was ever ready; the sentence says why, where that is known.
    """
    if record.card is None:
        reason = f" It could not be started: {record.failure}" if record.failure else " It is still being loaded."
        raise ModelNotReady(f"Model {record.name!r} is not ready, so nothing can be checked against it.{reason}")
    card = record.card
    return ModelCard(
        name=record.name,
        version=int(card["version"]),
        is_detector=card["kind"] == "detector",
        takes_pictures=bool(card["takes_pictures"]),
        signature=Signature.from_json(card["signature"]),
    )


def check_version(card: ModelCard, version: str) -> None:
    """Refuse a version that is not served.

    Raises:
        VersionNotFound: the sentence names the one that is.
    """
    if version != str(card.version):
        raise VersionNotFound(f"Model {card.name!r} has no version {version[:20]!r}; served is {card.version}.")
