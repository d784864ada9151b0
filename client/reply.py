"""Reading the API's answers: the JSON of a good one, the error of a bad one. Nothing here talks to the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from client.arrays import Answer, Arrays
from client.errors import TEMPORARY_STATUSES, ApiError, ClientError, UnexpectedReply, api_error_kind, status_of
from client.npy import Array, decode_npz
from client.record import JobRecord


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


def arrays(reply: httpx.Response, url: str) -> dict[str, Array]:
    """The arrays of a reply that is a `.npz`.

    Raises:
        UnexpectedReply: It is none.
    """
    try:
        return decode_npz(reply.content)
    except Exception as error:  # Damage makes zipfile, its decompressors and numpy raise a dozen unrelated kinds.
        raise UnexpectedReply(f"Expected a .npz archive from {url}; got something else ({error}).") from error


def answers(reply: httpx.Response, url: str, as_arrays: bool) -> dict[str, Answer]:
    """The results of many jobs by id; of a `.npz` the members are `id/output`."""
    if not as_arrays:
        return dict(json_object(reply, url).get("results") or {})
    found: dict[str, dict[str, Array]] = {}
    for member, array in arrays(reply, url).items():
        job_id, _, output = member.partition("/")
        found.setdefault(job_id, {})[output] = array
    return {job_id: Arrays(outputs) for job_id, outputs in found.items()}


def left(reply: httpx.Response) -> int:
    """How many jobs at the end of those asked for this answer had no room for."""
    text = reply.headers.get("celeriac-left", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def job_entries(body: Mapping[str, Any]) -> dict[str, JobRecord | ApiError]:
    """The jobs of an answer by id; in place of one that cannot be had, its error.

    Raises:
        UnexpectedReply: The answer has no jobs.
    """
    return {str(entry.get("id")): _entry(entry) for entry in _list(body, "jobs")}


def models(body: Mapping[str, Any], url: str) -> list[Mapping[str, Any]]:
    """The models of an answer.

    Raises:
        UnexpectedReply: It has none.
    """
    if not isinstance(body.get("models"), list):
        raise UnexpectedReply(f"Expected a list of models from {url}; got none. Is this a Celeriac?")
    return list(body["models"])


def _entry(entry: Mapping[str, Any]) -> JobRecord | ApiError:
    error = entry.get("error")
    return JobRecord.from_json(entry) if error is None else error_of(error, status_of(str(error.get("type", ""))))


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    if not isinstance(body.get(name), list):
        raise UnexpectedReply(f"Expected a list of {name}; the answer has none. Is this a Celeriac?")
    return list(body[name])


def error_of(body: Mapping[str, Any], status: int, retry_after_s: float | None = None) -> ApiError:
    """The error that an object `{"type", "message", "field"}` tells."""
    return api_error_kind(status)(
        str(body.get("message", "The server did not say why.")),
        status=status,
        type=str(body.get("type", "")),
        field=body.get("field"),
        retry_after_s=retry_after_s,
    )


def _refusal(reply: httpx.Response, url: str) -> ClientError:
    body = _json(reply)
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return error_of(error, reply.status_code, retry_after_s(reply))
    answered = f"{url} answered {reply.status_code} {reply.reason_phrase}".rstrip()
    if reply.status_code in TEMPORARY_STATUSES:
        sentence = f"{answered}; is Celeriac behind it running?"
        return error_of({"message": sentence}, reply.status_code, retry_after_s(reply))
    return UnexpectedReply(f"{answered} without Celeriac's error object; is the URL right?")


def retry_after_s(reply: httpx.Response) -> float | None:
    """When the server asks to be asked again, in s; None when it does not say."""
    # RFC 9110 also allows a date, which Celeriac does not send.
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _json(reply: httpx.Response) -> Any:
    try:
        return reply.json()
    except ValueError:
        return None
