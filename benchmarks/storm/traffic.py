"""The clients: some over HTTP that submit and wait or poll, and a backfill through the library in the bulk lane."""

from __future__ import annotations

import time
import uuid
from itertools import count
from typing import Any

import numpy as np

from benchmarks.storm.answers import Answers
from benchmarks.storm.caller import Caller
from benchmarks.storm.crowd import Crowd
from benchmarks.storm.ledger import Kind, Ledger, Promise
from benchmarks.storm.schedule import MODELS
from benchmarks.storm.sums import Array, rows_of
from tasks.broker import connect
from tasks.errors import TasksError
from tasks.job import TERMINAL, Job, Lane, Status, new_job_id
from tasks.job_store import JobStore
from tasks.payload import encode_arrays

CLIENTS = 8
#: The least time between two submissions of a client.
PAUSE_S = 0.1

#: Every other request waits for its answer so long; the others poll.
_WAIT_S = 5
#: Then a client leaves its job alone: the audit will see to it.
_MOST_LOOKS = 4

#: Jobs of one library call, and one call in so many seconds.
WAVE_JOBS = 150
WAVE_PAUSE_S = 1.0


class Traffic(Crowd):
    """Clients over HTTP and a backfill.

    Args:
        port: the API's.
        url: the broker's, for the backfill.
        result_ttl_s: how long ended jobs are kept.
        ledger: where all is written down.
        answers: the right ones.
    """

    def __init__(self, port: int, url: str, result_ttl_s: int, ledger: Ledger, answers: Answers) -> None:
        self._port = port
        self._store = JobStore(connect(url), result_ttl_s)
        self._ledger = ledger
        self._answers = answers
        self._run = uuid.uuid4().hex
        # next() of a count is one step in CPython.
        self._numbers = count()
        super().__init__([*[self._submit_over_http] * CLIENTS, self._backfill])

    def _submit_over_http(self) -> None:
        caller = Caller(self._port, self._ledger, self.given_up)
        while not self.over.is_set():
            next_s = time.monotonic() + PAUSE_S
            self._one_job(caller, next(self._numbers))
            self.over.wait(max(0.0, next_s - time.monotonic()))
        caller.close()

    def _one_job(self, caller: Caller, number: int) -> None:
        model, rows = MODELS[number % len(MODELS)], rows_of(number)
        wait_s = _WAIT_S * (number // len(MODELS) % 2)
        record = caller.submit(model, {"x": rows}, f"{self._run}-{number}", wait_s)
        if record is None:
            return
        job_id = str(record["id"])
        self._ledger.promise(job_id, Promise(model, Kind.ORDINARY, number))
        for _ in range(_MOST_LOOKS):
            if record is not None and record["status"] in TERMINAL:
                self._note(job_id, record, self._answers.of(model, number))
                return
            record = caller.look(job_id, _WAIT_S)

    def _note(self, job_id: str, record: dict[str, Any], expected: Array) -> None:
        self._ledger.tell(job_id, record["status"])
        if record["status"] == Status.SUCCEEDED:
            answer = (record["result"] or {}).get("outputs", {}).get("y", [])
            if not np.array_equal(np.asarray(answer, "float32"), expected):
                self._ledger.mistake(job_id)

    def _backfill(self) -> None:
        due_s = time.monotonic()
        while not self.over.is_set():
            self._one_wave()
            # What an outage held up is made up for.
            due_s += WAVE_PAUSE_S
            self.over.wait(max(0.0, due_s - time.monotonic()))

    def _one_wave(self) -> None:
        wave = [(number, self._bulk_job(number)) for number in (next(self._numbers) for _ in range(WAVE_JOBS))]
        while not self.given_up.is_set():
            try:
                # Asked again with the same ids, it stores what was not stored.
                self._store.submit_many([one for _, one in wave])
            except TasksError:
                self.given_up.wait(PAUSE_S)
                continue
            for number, (job, _) in wave:
                self._ledger.promise(job.id, Promise(job.model, Kind.ORDINARY, number))
            return

    def _bulk_job(self, number: int) -> tuple[Job, bytes]:
        rows = rows_of(number)
        content_type, payload = encode_arrays({"x": rows})
        model = MODELS[number % len(MODELS)]
        job = Job(id=new_job_id(), model=model, version=1, lane=Lane.BULK, content_type=content_type, rows=len(rows))
        return job, payload
