"""`enqueue` in a loop, results by job."""

from __future__ import annotations

import os
from collections.abc import Sequence

from redis import Redis
from rq import Queue
from rq.job import Job

from benchmarks.contestants.rq.work import predict
from benchmarks.desk import Array, npy


class Desk:
    """See `benchmarks.desk.Desk`."""

    def __init__(self) -> None:
        self._queue = Queue(connection=Redis.from_url(os.environ["REDIS_URL"]))
        self._jobs: list[Job] = []

    def submit(self, rows: Sequence[Array]) -> None:
        """One call of `enqueue` a job."""
        self._jobs += [self._queue.enqueue(predict, npy(row)) for row in rows]

    def collect(self) -> list[list[float]]:
        """Results in order."""
        answers = [job.return_value() for job in self._jobs]
        self._jobs = []
        return answers
