"""Which content types a model takes."""

from __future__ import annotations

from collections.abc import Sequence

from api.errors import UnsupportedMediaType
from api.model_card import ModelCard, SignatureCard
from api.request_body import JSON
from tasks.payload import ARRAY_TYPES

FORM = "multipart/form-data"


def is_picture(mimetype: str) -> bool:
    """Whether a body of this content type is a picture, or a form with some."""
    return mimetype == FORM or mimetype.startswith("image/")


def check_takes_pictures(card: ModelCard, signatures: Sequence[SignatureCard]) -> None:
    """Refuse pictures for a model that takes none.

    Raises:
        UnsupportedMediaType: none of the signatures takes any.
    """
    if not any(signature.takes_pictures for signature in signatures):
        raise UnsupportedMediaType(
            f"Model {card.name!r} takes no pictures, only {accepted(signatures)}. "
            "For pictures, add a table [image] to its model.toml."
        )


def accepted(signatures: Sequence[SignatureCard]) -> str:
    """The content types that one of the signatures takes, for people."""
    pictures = ["image/*", FORM] if any(signature.takes_pictures for signature in signatures) else []
    return ", ".join([JSON, *ARRAY_TYPES, *pictures])
