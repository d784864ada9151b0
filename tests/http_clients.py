"""Several clients of the API at once, as plain as there are: each submits a job, waits for its answer, and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import httpx

from tests.system import eventually

#: A client gives up when what it asks for has not been answered after so many seconds of retries.
PATIENCE_S = 60
RETRY_S = 0.2

#: The inputs whose answer is 2 * number + 1.
MakeInputs = Callable[[float], dict[str, Any]]


class Clients:
    """Threads with a connection each.

    Attributes:
        records: Of jobs, at their end, by id.
        requests: The numbers that were submitted; each one's key stays the same when it is sent again.
        retries: Why a request was made again: an error of the connection, or a 503.
        surprises: Answers that no retry mends, and wrong results.
    """

    def __init__(self, url: str, model: str, make_inputs: MakeInputs, count: int = 4) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.requests: list[int] = []
        self.retries: list[str] = []
        self.surprises: list[str] = []
        self._url = url
        self._model = model
        self._make_inputs = make_inputs
        self._keys = uuid4().hex
        self._stopping = Event()
        self._threads = [Thread(target=self._run, args=(first,)) for first in range(count)]

    def await_more(self, jobs: int = 20) -> None:
        """Wait until so many more jobs have been answered."""
        enough = len(self.records) + jobs
        eventually(lambda: len(self.records) >= enough or self.surprises, PATIENCE_S)

    def _run(self, number: int) -> None:
        with httpx.Client(base_url=self._url, timeout=70) as http:
            while not self._stopping.is_set() and not self.surprises:
                # No two threads ever send the same number, so an answer that is another's is noticed.
                number += len(self._threads)
                self.requests.append(number)
                self._one_job(http, number)

    def _one_job(self, http: httpx.Client, number: int) -> None:
        body = {"inputs": self._make_inputs(number)}
        key = {"Idempotency-Key": f"{self._keys}-{number}"}

        def submit() -> dict[str, Any] | None:
            return self._answer(lambda: http.post(f"/v1/models/{self._model}/jobs", json=body, headers=key))

        submitted = submit()
        # Once more, as one whose answer was lost on the way: it is told of the same job.
        record = submitted and submit()
        if submitted is None or record is None:
            return
        if record["id"] != submitted["id"]:
            self.surprises.append(f"{number}: a second job, {record['id']} beside {submitted['id']}")
        while record and record["status"] in ("queued", "running"):
            record = self._answer(lambda: http.get(f"/v1/jobs/{submitted['id']}", params={"wait": 10}))
        if record is None:
            return
        self.records[submitted["id"]] = record
        outputs = (record.get("result") or {}).get("outputs", {})
        if record["status"] != "succeeded" or 2 * number + 1 not in [row[0] for row in outputs.get("y", [])]:
            self.surprises.append(f"{number}: {record}")

    def _answer(self, ask: Callable[[], httpx.Response]) -> dict[str, Any] | None:
        """The record that was asked for, after as many retries as it takes; None after a surprise."""
        for _ in range(round(PATIENCE_S / RETRY_S)):
            try:
                answer = ask()
            except httpx.TransportError as error:
                self.retries.append(type(error).__name__)
            else:
                # 202, or 200 when the job has ended already.
                if answer.is_success:
                    body: dict[str, Any] = answer.json()
                    return body
                if answer.status_code != 503 or "Retry-After" not in answer.headers:
                    break
                self.retries.append(answer.json()["error"]["type"])
            Event().wait(RETRY_S)
        else:
            self.surprises.append(f"no answer within {PATIENCE_S} s: {self.retries[-5:]}")
            return None
        self.surprises.append(f"{answer.status_code} {answer.text[:200]}")
        return None

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)


@contextmanager
def clients(url: str, model: str, make_inputs: MakeInputs, count: int = 4) -> Iterator[Clients]:
    """Clients at work until the end of the block; then each has the answer that it waited for."""
    working = Clients(url, model, make_inputs, count)
    working.start()
    try:
        yield working
    finally:
        working.stop()
