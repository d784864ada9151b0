"""The clients of plain Celery, at the pace of Celeriac's: each calls what `delay` calls, and results are read later."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count

import orjson
import redis
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from benchmarks.storm.crowd import Crowd
from benchmarks.storm.schedule import MODELS
from benchmarks.storm.sums import rows_of
from benchmarks.storm.traffic import CLIENTS, PAUSE_S, WAVE_JOBS, WAVE_PAUSE_S

TASK = "benchmarks.storm.plain_app.predict"

_AT_ONCE = 500


class PlainTraffic(Crowd):
    """Clients that submit one by one, and one that submits many.

    Attributes:
        sent: model and number of each job that was taken, by id.
    """

    def __init__(self, app: Celery) -> None:
        self.sent: dict[str, tuple[str, int]] = {}
        self._app = app
        self._numbers = count()
        paces = [(1, PAUSE_S)] * CLIENTS + [(WAVE_JOBS, WAVE_PAUSE_S)]
        super().__init__([partial(self._submit, *pace) for pace in paces])

    def some_job(self, model: str, chance: float) -> str | None:
        """One of the latest thousand jobs of a model; `chance` is from 0 to 1."""
        # list() of a dict is one step in CPython, while others add to it.
        found = [job_id for job_id, (one, _) in list(self.sent.items())[-1000:] if one == model]
        return found[int(chance * (len(found) - 1))] if found else None

    def _submit(self, jobs: int, pause_s: float) -> None:
        due_s = time.monotonic()
        while not self.over.is_set():
            for _ in range(jobs):
                self._submit_one(next(self._numbers))
            due_s += pause_s
            self.over.wait(max(0.0, due_s - time.monotonic()))

    def _submit_one(self, number: int) -> None:
        model, rows = MODELS[number % len(MODELS)], rows_of(number)
        while not self.given_up.is_set():
            try:
                job_id = self._app.send_task(TASK, [rows.tolist()], queue=model).id
            except (OperationalError, RedisError, OSError):
                self.given_up.wait(PAUSE_S)
            else:
                self.sent[job_id] = (model, number)
                return


def read_results(client: redis.Redis, job_ids: Sequence[str]) -> Mapping[str, object]:
    """The results that there are, as the result backend keeps them; None for a task that failed."""
    found: dict[str, object] = {}
    for start in range(0, len(job_ids), _AT_ONCE):
        some = job_ids[start : start + _AT_ONCE]
        for job_id, raw in zip(some, client.mget([f"celery-task-meta-{one}" for one in some]), strict=True):
            if raw:
                stored = orjson.loads(raw)
                found[job_id] = stored["result"] if stored["status"] == "SUCCESS" else None
    return found
