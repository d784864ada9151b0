"""Submits and reads as Celeriac's API does, through the job store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.desk import Array
from tasks.broker import connect
from tasks.job import Job, Status, new_job_id
from tasks.job_store import JobStore
from tasks.payload import encode_arrays
from tasks.result import result_json
from tasks.settings import read_settings


class Desk:
    """See `benchmarks.desk.Desk`."""

    def __init__(self) -> None:
        settings = read_settings()
        self._model = os.environ["BENCH_MODEL"]
        self._store = JobStore(connect(settings.redis_url), settings.result_ttl_s)
        self._ids: list[str] = []

    def submit(self, rows: Sequence[Array]) -> None:
        """One library call for all."""
        self._store.submit_many(self._jobs(rows))

    def collect(self) -> list[list[float]]:
        """Results by id."""
        answers = [self._answer(job_id) for job_id in self._ids]
        self._ids = []
        return answers

    def _jobs(self, rows: Iterable[Array]) -> Iterator[tuple[Job, bytes]]:
        for row in rows:
            content_type, payload = encode_arrays({"row": row})
            job = Job(id=new_job_id(), model=self._model, version=1, content_type=content_type, rows=1)
            self._ids.append(job.id)
            yield job, payload

    def _answer(self, job_id: str) -> list[float]:
        parts = self._store.result(job_id)
        if not parts:
            job = self._store.get(job_id)
            raise LookupError(f"Job {job_id} is {job.status}, not {Status.SUCCEEDED}: {job.failure_message}")
        (output,) = result_json(parts)["outputs"].values()
        answer: list[float] = output[0].tolist()
        return answer
