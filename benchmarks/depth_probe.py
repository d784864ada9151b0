"""Submits to and polls one job store, and says what each operation cost: `python -m benchmarks.depth_probe` serves."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.serving import serve
from tasks.broker import connect
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tasks.payload import encode_arrays
from tasks.settings import read_settings

MODEL = "tiny"

#: How many of the waiting jobs are known by id, to be polled.
KNOWN = 10_000


class Probe:
    """One job store and some of the ids in it."""

    def __init__(self) -> None:
        settings = read_settings()
        self._store = JobStore(connect(settings.redis_url), settings.result_ttl_s)
        self._random = random.Random(0)
        self._ids: list[str] = []

    def fill(self, inputs: str, jobs: int) -> dict[str, Any]:
        """Queue many jobs, as fast as the library can."""
        self._store.submit_many(self._jobs(np.load(inputs), jobs))
        return {}

    def submit(self, inputs: str, jobs: int) -> dict[str, Any]:
        """Queue jobs one call each."""
        ready = list(self._jobs(np.load(inputs), jobs))
        return _timed([partial(self._store.submit, *one) for one in ready])

    def poll(self, jobs: int) -> dict[str, Any]:
        """Read the records of known jobs, one call each."""
        chosen = self._random.choices(self._ids, k=jobs)
        return _timed([partial(self._store.find, job_id) for job_id in chosen])

    def _jobs(self, rows: np.ndarray[Any, Any], count: int) -> Iterator[tuple[Job, bytes]]:
        for number in range(count):
            content_type, payload = encode_arrays({"row": rows[number % len(rows)][None]})
            job = Job(id=new_job_id(), model=MODEL, version=1, content_type=content_type, rows=1)
            if len(self._ids) < KNOWN:
                self._ids.append(job.id)
            else:
                self._ids[self._random.randrange(KNOWN)] = job.id
            yield job, payload


def _timed(operations: Sequence[Callable[[], object]]) -> dict[str, float]:
    """Median wall time of an operation, and this process's CPU time for one, in µs."""
    cpu_s, taken_s = time.process_time(), []
    for operation in operations:
        started_s = time.perf_counter()
        operation()
        taken_s.append(time.perf_counter() - started_s)
    cpu_s = time.process_time() - cpu_s
    return {"median_us": statistics.median(taken_s) * 1e6, "cpu_us": cpu_s / len(operations) * 1e6}


def main() -> None:
    """Serve one job store's probe."""
    probe = Probe()
    serve({"fill": probe.fill, "submit": probe.submit, "poll": probe.poll})


if __name__ == "__main__":
    main()
