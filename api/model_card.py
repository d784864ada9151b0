"""What a model's workers have said of it, as far as a request can be checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.errors import InvalidParameter, ModelNotReady, VersionNotFound
from model_store.signature import Signature
from tasks.model_registry import ModelRecord


@dataclass(frozen=True)
class SignatureCard:
    """One of a model's signatures."""

    is_detector: bool
    takes_pictures: bool
    signature: Signature


@dataclass(frozen=True)
class ModelCard:
    """A model that was ready at least once, with its signatures by name; jobs that name none get the default one."""

    name: str
    version: int
    default_signature: str
    signatures: Mapping[str, SignatureCard]
    refused_signatures: Mapping[str, str]

    def by_signature(self, name: str) -> SignatureCard:
        """One signature; the default one for an empty name.

        Raises:
            InvalidParameter: the model has no such signature; the names of those that it has are told.
        """
        if (found := self.signatures.get(name or self.default_signature)) is not None:
            return found
        known = ", ".join(sorted(self.signatures))
        reason = self.refused_signatures.get(name)
        got = f"{name[:80]!r}" + (f", which cannot be served: {reason}" if reason else "")
        raise InvalidParameter("parameters.signature", f"one of the model's signatures {known}", got)


def read_card(record: ModelRecord) -> ModelCard:
    """The card of a model.

    Raises:
        ModelNotReady: none of its workers was ever ready; the sentence says why, where that is known.
    """
    if record.card is None:
        reason = f" It could not be started: {record.failure}" if record.failure else " It is still being loaded."
        raise ModelNotReady(f"Model {record.name!r} is not ready, so nothing can be checked against it.{reason}")
    card = record.card
    # A worker of an earlier release knows of one signature only, which has no name.
    default = card.get("default_signature", "")
    own = {**card["signature"], "kind": card["kind"], "takes_pictures": card["takes_pictures"]}
    signatures = card.get("signatures") or {default: own}
    return ModelCard(
        name=record.name,
        version=int(card["version"]),
        default_signature=default,
        signatures={name: _signature_card(values) for name, values in signatures.items()},
        refused_signatures=card.get("refused_signatures", {}),
    )


def _signature_card(values: Mapping[str, Any]) -> SignatureCard:
    return SignatureCard(
        is_detector=values["kind"] == "detector",
        takes_pictures=bool(values["takes_pictures"]),
        signature=Signature.from_json(values),
    )


def check_version(card: ModelCard, version: str) -> None:
    """Refuse a version that is not served.

    Raises:
        VersionNotFound: the sentence names the one that is.
    """
    if version != str(card.version):
        raise VersionNotFound(f"Model {card.name!r} has no version {version[:20]!r}; served is {card.version}.")
