"""The header `Idempotency-Key`: a request that is sent again, perhaps because its answer was lost, is the same job.

What is kept are digests: a key may say more of a client than anybody needs to know.
"""

from __future__ import annotations

import hashlib
import re

import orjson
from flask import request

from api.errors import InvalidHeader
from api.parameters import Parameters

HEADER = "Idempotency-Key"

MAX_KEY_CHARACTERS = 255

_VISIBLE = re.compile(r"[!-~]+")


def read_key() -> str | None:
    """That of the current request, if it has one; raises what `check_key` does."""
    key = request.headers.get(HEADER)
    return None if key is None else check_key(key)


def check_key(key: str) -> str:
    """The key itself.

    Raises:
        InvalidHeader: it is empty, too long, or has a character that is not visible ASCII.
    """
    if len(key) > MAX_KEY_CHARACTERS:
        got = f"{len(key)} characters"
    elif not _VISIBLE.fullmatch(key):
        got = "one with another character" if key else "none"
    else:
        return key
    raise InvalidHeader(HEADER, f"1 to {MAX_KEY_CHARACTERS} visible ASCII characters", got)


def key_digest(owner: str, model: str, key: str) -> str:
    """SHA-256, in hex, of a key within its scope: the same key of another owner or for another model is another."""
    return hashlib.sha256(orjson.dumps([owner, model, key])).hexdigest()


def item_key_digest(owner: str, model: str, key: str, index: int) -> str:
    """The digest of the key of one item of a bulk request, of which `key` is; no single job's key has the same."""
    return hashlib.sha256(orjson.dumps([owner, model, key, index])).hexdigest()


def request_digest(version: str | None, content_type: str, parameters: Parameters, body: bytes) -> str:
    """SHA-256, in hex, of what was asked of a model.

    Args:
        version: the one that was asked for; None: any.
        content_type: without its parameters; a form's boundary is another each time.
        parameters: wherever they stood.
        body: as it came; of a form the picture.
    """
    # JSON has no line feed of its own, so nothing of the body can be taken for a part of the rest.
    digest = hashlib.sha256(orjson.dumps([version, content_type, vars(parameters)]) + b"\n")
    digest.update(body)
    return digest.hexdigest()
