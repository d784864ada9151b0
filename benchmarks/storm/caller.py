"""One client of the API over HTTP, which asks again, with the same Idempotency-Key, until it is answered."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import orjson

from benchmarks.storm.ledger import Ledger

#: Beyond the time that the API is asked to wait: a broker that is away is given up by it after 5 s.
_TIMEOUT_S = 20.0

_RETRY_S = 0.2

#: The statuses that say that a job was taken, those that tell of one or that there is none, and those that say to ask
#: again later.
_TAKEN = (200, 202)
_TOLD = (200, 404, 410)
_AGAIN = (429, 503)


class Reply(NamedTuple):
    """An answer's status and its JSON."""

    status: int
    document: dict[str, Any]


class Caller:
    """One connection, one request at a time.

    Args:
        port: the API's.
        ledger: learns of answers that should not be.
        given_up: set when nobody is to ask again any more.
    """

    def __init__(self, port: int, ledger: Ledger, given_up: threading.Event) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        self._ledger = ledger
        self._given_up = given_up

    def submit(self, model: str, inputs: Any, key: str, wait_s: float) -> dict[str, Any] | None:
        """The record of the job once it is taken, and after at most `wait_s` more; None when given up."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, "Prefer": f"wait={wait_s:.0f}"}
        body = orjson.dumps({"inputs": inputs}, option=orjson.OPT_SERIALIZE_NUMPY)
        while not self._given_up.is_set():
            reply = self._ask(_TAKEN, "POST", f"/v1/models/{model}/jobs", body, headers)
            if reply:
                return reply.document
            self._given_up.wait(_RETRY_S)
        return None

    def look(self, job_id: str, wait_s: float) -> dict[str, Any] | None:
        """The record of a job, waited for; None when there was no answer this time."""
        reply = self._ask(_TOLD, "GET", f"/v1/jobs/{job_id}?wait={wait_s:.0f}")
        if reply and reply.status in (404, 410):
            self._ledger.vanish(job_id)
        return reply.document if reply and reply.status == 200 else None

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _ask(
        self,
        expected: Collection[int],
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply | None:
        """The answer; None when there is none, or when it says to ask again, or is one that is not expected."""
        try:
            self._connection.request(method, target, body, headers or {})
            response = self._connection.getresponse()
            status, content = response.status, response.read()
        except (OSError, http.client.HTTPException):
            # The server was killed or stopped; the next request connects anew.
            self._connection.close()
            return None
        if status in _AGAIN:
            return None
        if status not in expected or not content.startswith(b"{"):
            self._ledger.surprise(f"{method}: {status} {content[:200].decode(errors='replace')}")
            return None
        return Reply(status, orjson.loads(content))
