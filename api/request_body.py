"""The body of the current request. Its size is limited by Flask, with `MAX_CONTENT_LENGTH`."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import orjson
from flask import Request, request
from werkzeug.exceptions import RequestEntityTooLarge

from api.errors import InvalidBody, MalformedJson, UnsupportedMediaType
from api.picture_form import PictureFormParser

JSON = "application/json"


class MemoryRequest(Request):
    """A request whose uploaded files stay in memory; werkzeug would write those above 500 kB to disk."""

    form_data_parser_class = PictureFormParser

    def _get_file_stream(self, *_: Any, **__: Any) -> BytesIO:
        return BytesIO()


def read_bytes() -> bytes:
    """The body as it came.

    Raises:
        UnsupportedMediaType: it is compressed.
        InvalidBody: it ends before its announced end.
        RequestEntityTooLarge: it is too large.
    """
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise UnsupportedMediaType(f"Content-Encoding {encoding[:40]!r} is not understood; send the body as it is.")
    body = request.get_data(cache=False)
    announced = request.content_length
    if announced is not None and announced != len(body):
        raise InvalidBody("body", f"{announced} bytes, as Content-Length says", f"{len(body)} bytes")
    # Of a body without announced length werkzeug hands out what is allowed, and says nothing of the rest.
    if announced is None and len(body) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge
    return body


def read_object(known: Iterable[str]) -> dict[str, Any]:
    """The body as a JSON object with no other names than `known`.

    Raises:
        UnsupportedMediaType: it is not sent as JSON.
        MalformedJson, InvalidBody: see `parse_object`.
    """
    if request.mimetype != JSON:
        raise UnsupportedMediaType(f"Content-Type {request.mimetype[:80]!r} is not taken; taken is {JSON}.")
    return parse_object(read_bytes(), known)


def parse_object(body: bytes, known: Iterable[str]) -> dict[str, Any]:
    """A body as a JSON object with no other names than `known`.

    Raises:
        MalformedJson: no JSON, nested too deep, or a number too large for a 64-bit float; the position is named.
        InvalidBody: no object, or an unknown name.
    """
    names = ", ".join(known)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedJson(f"The body is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise InvalidBody("body", f"a JSON object with {names}", f"a JSON {json_kind(document)}")
    for name in document:
        if name not in known:
            raise InvalidBody("body", f"only the names {names}", f"an unknown name {name[:80]!r}")
    return document


def json_kind(value: Any) -> str:
    """What JSON calls a value's type."""
    kinds: dict[type, str] = {bool: "boolean", str: "string", list: "array", dict: "object", type(None): "null"}
    return kinds.get(type(value), "number")
