"""What holds of every answer of the API, whatever it was asked; for tests with made-up requests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

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


def cancel(http: FlaskClient, submitted: Any) -> None:
    """End the job, if one was submitted, so that examples leave nothing behind."""
    if submitted.status_code == 202:
        assert http.delete(submitted.headers["Location"]).status_code == 200
