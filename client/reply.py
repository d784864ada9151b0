"""Reading the API's answers: the JSON of a good one, the error of a bad one. Nothing here talks to the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from client.errors import TEMPORARY_STATUSES, ApiError, ClientError, UnexpectedReply


def check(reply: httpx.Response, url: str) -> None:
    """Return only when the request succeeded; the reply has been read whole.

    Raises:
        ApiError: The server refused it, or something before the server says that it is away.
        UnexpectedReply: The answer is not one of Celeriac's.
    """
    if not reply.is_success:
        raise _refusal(reply, url)


def json_object(reply: httpx.Response, url: str) -> Mapping[str, Any]:
    """The JSON object that a reply holds.

    Raises:
        UnexpectedReply: It holds none.
    """
    body = _json(reply)
    if not isinstance(body, dict):
        kind = reply.headers.get("content-type", "no content type")
        raise UnexpectedReply(f"Expected a JSON object from {url}; got {kind}. Is this a Celeriac?")
    return body


def _refusal(reply: httpx.Response, url: str) -> ClientError:
    body = _json(reply)
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return ApiError(
            error["message"],
            status=reply.status_code,
            type=str(error.get("type", "")),
            field=error.get("field"),
            retry_after_s=_retry_after_s(reply),
        )
    answered = f"{url} answered {reply.status_code} {reply.reason_phrase}".rstrip()
    if reply.status_code in TEMPORARY_STATUSES:
        return ApiError(
            f"{answered}; is Celeriac behind it running?", status=reply.status_code, retry_after_s=_retry_after_s(reply)
        )
    return UnexpectedReply(f"{answered} without Celeriac's error object; is the URL right?")


def _json(reply: httpx.Response) -> Any:
    try:
        return reply.json()
    except ValueError:
        return None


def _retry_after_s(reply: httpx.Response) -> float | None:
    # RFC 9110 also allows a date, which Celeriac does not send.
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None
