"""A Celeriac without queue or model for tests of the backfill: jobs are kept in memory and answer y = 2x + 1."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.unit.client_stand_in import Answer, Request, StandIn

CARD = {
    "name": "linear",
    "status": "ready",
    "paused": False,
    "kind": None,
    "version": 1,
    "versions": [1],
    "labels_of_versions": {},
    "signature": {"inputs": {"x": {"dtype": "float32", "shape": [None, 3]}}, "outputs": {}},
    "signatures": {},
    "takes_pictures": False,
    "batching": {"max_batch_size": 64},
    "workers": [{"name": "one"}],
    "queued": 0,
}

Array = np.ndarray[Any, Any]


@dataclass
class Stored:
    """A job: its input, and the failure's type when it has no answer."""

    id: str
    x: Array
    failure: str | None
    status: str = ""
    result: Array | None = None


@dataclass
class Server:
    """What the stand-in answers with; tests set what goes wrong.

    Attributes:
        fail: Gives the type of a job's failure by its input; None: it succeeds.
        refuse: Gives the answer to a submission instead of taking it; None: it is taken.
        submitted: By first value of x: how often rows were taken as a new job.
    """

    fail: Callable[[Array], str | None] = lambda x: None
    refuse: Callable[[Array], Answer | None] = lambda x: None
    card: dict[str, Any] = field(default_factory=lambda: dict(CARD))
    jobs: dict[str, Stored] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    rows_run: Counter[float] = field(default_factory=Counter)
    freed: set[str] = field(default_factory=set)
    largest: int = 0
    under_way: int = 0
    most_under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def stand_in(self) -> StandIn:
        return StandIn(self.respond)

    def respond(self, request: Request) -> Answer:
        with self.lock:
            if request.path == "/v1/models/linear":
                return Answer.of(self.card)
            if request.path.endswith("/jobs"):
                return self._submit(request)
            ids = json.loads(request.body)["ids"]
            return {"query": self._query, "results": self._results, "free": self._free}[request.path.split(":")[1]](ids)

    def _submit(self, request: Request) -> Answer:
        with np.load(io.BytesIO(request.body)) as arrays:
            x = arrays["x"]
        if refusal := self.refuse(x):
            return refusal
        key = request.headers["idempotency-key"]
        if key not in self.keys:
            job = Stored(f"job-{len(self.keys)}", x, self.fail(x))
            self.jobs[job.id] = job
            self.keys[key] = job.id
            self.rows_run.update(x[:, 0].tolist())
            self.largest = max(self.largest, len(x))
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        return Answer.of({"id": self.keys[key], "status": "queued"}, 202)

    def _query(self, ids: list[str]) -> Answer:
        return Answer.of({"jobs": [self._record(job_id) for job_id in ids]})

    def _record(self, job_id: str) -> Mapping[str, Any]:
        job = self.jobs.get(job_id)
        if job is None:
            return {"id": job_id, "error": {"type": "job_gone", "message": "It is gone."}}
        if not job.status:
            job.status = "failed" if job.failure else "succeeded"
            self.under_way -= 1
        if job.failure in ("job_cancelled", "job_expired"):
            return {"id": job_id, "status": job.failure.removeprefix("job_")}
        failure = {"type": job.failure, "message": "It cannot."} if job.failure else None
        return {"id": job_id, "status": job.status, "failure": failure, "compute_ms": 1.0}

    def _results(self, ids: list[str]) -> Answer:
        buffer = io.BytesIO()
        found = {f"{job_id}/y": 2 * self.jobs[job_id].x + 1 for job_id in ids if job_id not in self.freed}
        np.savez(buffer, **found)
        return Answer(200, buffer.getvalue(), "application/x-npz")

    def _free(self, ids: list[str]) -> Answer:
        self.freed.update(ids)
        return Answer.of({"freed": len(ids)})
