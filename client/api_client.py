"""One Celeriac server over HTTP: a method a request, no waiting and no second tries of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from client import reply
from client.call import Call, JobOptions, job_call, models_call, result_call, submit_call
from client.errors import AddressError, UnexpectedReply, Unreachable, UnsendableError
from client.input_file import InputFile
from client.job import Job

DEFAULT_URL = "http://127.0.0.1:8000"

_CONNECT_TIMEOUT_S = 5.0
#: For the server's own work on a request, beyond what it holds back on purpose.
_READ_TIMEOUT_S = 30.0


class ApiClient:
    """Talks to one server; keeps its connection until closed.

    Every method raises `Unreachable` when no server answers, `ApiError` when it refuses, `UnexpectedReply` when what
    answers is no Celeriac, and `UnsendableError` when a request cannot be written as HTTP.
    """

    def __init__(self, url: str = DEFAULT_URL, api_key: str | None = None) -> None:
        """Prepare for a server; nothing is sent yet.

        Raises:
            AddressError: The URL or the key cannot be used.
        """
        self._client = httpx.Client(base_url=_parsed(url), headers=_headers(api_key))
        self.url = _without_password(self._client.base_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def submit(
        self,
        model: str,
        inputs: InputFile,
        options: JobOptions | None = None,
        version: int | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit one job; when this returns, the server has stored it durably.

        When it raises, the job may be stored too; the same call with the same `idempotency_key` finds it.
        """
        call = submit_call(model, inputs, options or JobOptions(), version, idempotency_key)
        return Job.from_json(self._ask(call))

    def get_job(self, job_id: str, wait_s: float = 0.0) -> Job:
        """A job's record; the server may hold the answer back up to `wait_s` (at most 60) until the job ends."""
        return Job.from_json(self._ask(job_call(job_id, wait_s)))

    def get_result(self, job_id: str, media_type: str, row: int | None = None) -> bytes:
        """The result of a job that succeeded, in one of the formats the server offers.

        As `image/png` it is the drawing of one picture; where the job has several, `row` says which, from 0.
        """
        return self._send(result_call(job_id, media_type, row)).content

    def list_models(self) -> Mapping[str, Any]:
        """All models as `{"models": [{"name", "status", …}]}`."""
        body = self._ask(models_call())
        if not isinstance(body.get("models"), list):
            raise UnexpectedReply(f"Expected a list of models from {self.url}; got none. Is this a Celeriac?")
        return body

    def _ask(self, call: Call) -> Mapping[str, Any]:
        return reply.json_object(self._send(call), self.url)

    def _send(self, call: Call) -> httpx.Response:
        try:
            answer = self._client.request(
                call.method,
                call.path,
                params=call.params,
                headers=call.headers,
                content=call.content,
                timeout=httpx.Timeout(_READ_TIMEOUT_S + call.held_s, connect=_CONNECT_TIMEOUT_S),
            )
        except (UnicodeEncodeError, httpx.LocalProtocolError) as error:
            raise UnsendableError("An option holds characters that are no text, or no header can carry.") from error
        except httpx.HTTPError as error:
            raise _unreachable(error, self.url) from error
        reply.check(answer, self.url)
        return answer


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise AddressError(f"A server's URL is expected as http://HOST:PORT or https://HOST; got {url!r}.")
    return parsed


def _headers(api_key: str | None) -> dict[str, str]:
    key = (api_key or "").strip()
    if not (key.isascii() and key.isprintable()):
        # The sentence must not repeat the key.
        raise AddressError("The API key holds a character that no key has; copy it again.")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _without_password(url: httpx.URL) -> str:
    return str(url.copy_with(username=None, password=None)).rstrip("/")


def _unreachable(error: httpx.HTTPError, url: str) -> Unreachable:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Unreachable(f"No Celeriac at {url}: {_reason(error)}; start it with `make up` or set CELERIAC_URL.")
    if isinstance(error, httpx.TimeoutException):
        return Unreachable(f"{url} did not answer in time; is its machine overloaded?")
    return Unreachable(f"The connection to {url} was lost: {_reason(error)}; is it restarting?")


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {_CONNECT_TIMEOUT_S:g} s"
    # The operating system's text is "[Errno 111] Connection refused".
    text = str(error).rpartition("] ")[2].strip(". ")
    return text[:1].lower() + text[1:] if text else type(error).__name__
