"""What holds of every answer of the API, whatever it was asked; for tests with made-up requests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from flask import Response, request
from flask.testing import FlaskClient
from werkzeug.test import Client

MANUAL = Path(__file__).parents[1] / "docs" / "http.md"

#: Types of errors that HTTP itself has, beside those of the manual's table.
TYPES = frozenset(re.findall(r"^\| `(\w+)` \|", MANUAL.read_text(), re.MULTILINE))


def checked(answer: Any) -> Any:
    """The answer, which is no failure of the server's, and where it is an error says so as the manual does.

    The models' workers are played, and not heard of after a while: then `/readyz` says so.
    """
    assert answer.status_code < 500 or answer.json["error"]["type"] == "not_ready", answer.text
    assert b"Traceback" not in answer.data[:2000]
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        error = answer.json["error"]
        assert error["type"] in TYPES, error
        assert 0 < len(error["message"]) < 2000, error
    return answer


class Tally:
    """How many made-up requests were answered with each status."""

    def __init__(self) -> None:
        self.answers: Counter[int] = Counter()

    def add(self, method: str, status: int) -> None:
        # What ends an example's job, see `cancel`, is no example.
        if (method, status) != ("DELETE", 200):
            self.answers[status] += 1

    def watch(self, http: FlaskClient) -> FlaskClient:
        """Count all that this application answers from now on."""

        def count(answer: Response) -> Response:
            self.add(request.method, answer.status_code)
            return answer

        http.application.after_request(count)
        return http


class Forward:
    """A WSGI application that asks a server, on one connection as long as the server leaves it open."""

    def __init__(self, port: int, tally: Tally) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=10)
        self._tally = tally

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {"Content-Type": environ["CONTENT_TYPE"]} if environ.get("CONTENT_TYPE") else {}
        try:
            answer, data = self._ask(method, environ["REQUEST_URI"], body, headers)
        except ConnectionError:
            # The server closes a connection on which it has answered without reading the body; clients ask on another.
            self._connection.close()
            answer, data = self._ask(method, environ["REQUEST_URI"], body, headers)
        self._tally.add(method, answer.status)
        start_response(f"{answer.status} {answer.reason}", answer.getheaders())
        return [data]

    def _ask(self, method: str, uri: str, body: bytes, headers: dict[str, str]) -> tuple[HTTPResponse, bytes]:
        self._connection.request(method, uri, body, headers)
        answer = self._connection.getresponse()
        return answer, answer.read()

    def close(self) -> None:
        self._connection.close()


def cancel(http: Client, submitted: Any) -> None:
    """End the job, if one was submitted, so that examples leave nothing behind."""
    if submitted.status_code == 202:
        assert http.delete(submitted.headers["Location"]).status_code == 200
