"""What a model's workers have said of it, as far as a request can be checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.errors import ModelNotReady
from model_store.signature import Signature
from tasks.model_registry import ModelRecord


@dataclass(frozen=True)
class ModelCard:
    """A version of a model that was ready at least once."""

    name: str
    version: int
    is_detector: bool
    takes_pictures: bool
    signature: Signature


def read_card(record: ModelRecord) -> ModelCard:
    """The card of the version that a model serves by default.

    Raises:
        ModelNotReady: none of its workers was ever ready; the sentence says why, where that is known.
    """
    if record.card is None:
        reason = f" It could not be started: {record.failure}" if record.failure else " It is still being loaded."
        raise ModelNotReady(f"Model {record.name!r} is not ready, so nothing can be checked against it.{reason}")
    return parse_card(record.card)


def parse_card(card: Mapping[str, Any]) -> ModelCard:
    """A card as a worker published it."""
    return ModelCard(
        name=card["name"],
        version=int(card["version"]),
        is_detector=card["kind"] == "detector",
        takes_pictures=bool(card["takes_pictures"]),
        signature=Signature.from_json(card["signature"]),
    )
