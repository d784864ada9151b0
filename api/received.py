"""What came with the current request for one job, before it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import request

from api.accepted_types import FORM, accepted, check_takes_pictures, is_picture
from api.errors import InvalidBody, UnsupportedMediaType
from api.model_card import ModelCard
from api.request_body import JSON, json_kind, parse_object, read_bytes
from model_store.errors import InvalidInput
from tasks.payload import ARRAY_TYPES
from tasks.picture_list import pack_pictures

#: A name and a value, as text or as JSON gave it.
NamedValues = list[tuple[str, Any]]


@dataclass(frozen=True)
class Received:
    """What came, not yet checked: the input's bytes, the JSON object in them if it is one, and the parameters.

    Of a form the bytes are those of its files.
    """

    body: bytes
    named_values: NamedValues
    document: dict[str, Any] | None = None
    files: Sequence[bytes] = ()


def receive(card: ModelCard) -> Received:
    """Read the body of a request to a model.

    Raises:
        UnsupportedMediaType: of a kind that none of the model's signatures takes.
        MalformedJson, InvalidBody, InvalidInput: its outer form is wrong.
    """
    mimetype = request.mimetype
    if is_picture(mimetype):
        check_takes_pictures(card, list(card.signatures.values()))
        return _receive_pictures(mimetype)
    if mimetype == JSON:
        body = read_bytes()
        document = parse_object(body, ("instances", "inputs", "parameters"))
        parameters = document.pop("parameters", {})
        if not isinstance(parameters, dict):
            raise InvalidBody("parameters", "a JSON object", f"a JSON {json_kind(parameters)}")
        return Received(body, list(parameters.items()), document)
    if mimetype in ARRAY_TYPES:
        return Received(read_bytes(), [])
    taken = accepted(list(card.signatures.values()))
    raise UnsupportedMediaType(f"Content-Type {mimetype[:80]!r} is not taken; taken are {taken}.")


def _receive_pictures(mimetype: str) -> Received:
    if mimetype != FORM:
        picture = read_bytes()
        return Received(picture, [], files=[picture])
    files = form_pictures()
    return Received(files[0] if len(files) == 1 else pack_pictures(files), form_values(), files=files)


def form_pictures() -> list[bytes]:
    """The files of the current request's form.

    Raises:
        InvalidInput: there is none, or one in a field of another name than `image`.
    """
    files = list(request.files.items(multi=True))
    if files and all(name == "image" for name, _ in files):
        return [file.stream.read() for _, file in files]
    got = ", ".join(str(name)[:40] for name, _ in files) or "no file"
    raise InvalidInput("image", "one file or several, each in a field image of the form", got)


def form_values() -> NamedValues:
    """The other fields of the current request's form."""
    # werkzeug names a part None whose header has no name.
    return [(name or "", text) for name, text in request.form.items(multi=True)]
