"""The quarantine: jobs that their workers died of, each kept with its input until somebody has looked at it.

`lua/finish.lua` puts a job there in the step that fails it as poisoned; here is all that can be done with it after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import redis

from tasks import keys
from tasks.broker import broker_errors, server_time_us
from tasks.errors import NotQuarantined
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore


@dataclass(frozen=True)
class Quarantined:
    """A job in the quarantine: its record, since when (µs since 1970, by Redis's clock), the size of its input."""

    job: Job
    since_us: int
    input_bytes: int


class Quarantine:
    """The quarantined jobs of all models. Every method raises BrokerUnavailable when Redis does not answer.

    Args:
        client: of the broker, see `tasks.broker.connect`.
        store: the records.
        result_ttl_s: how long the record of a job stays that has left the quarantine.
    """

    def __init__(self, client: redis.Redis, store: JobStore, result_ttl_s: int) -> None:
        self._redis = client
        self._store = store
        self._result_ttl_s = result_ttl_s

    def jobs(self, model: str | None = None) -> Sequence[Quarantined]:
        """The jobs of one model, or of all by model; the one that came first is the first."""
        models = self._models() if model is None else [model]
        return [found for name in models for found in self._list_model(name)]

    def get(self, job_id: str) -> Quarantined:
        """One job.

        Raises:
            NotQuarantined: it is not in the quarantine.
        """
        job = self._store.find(job_id)
        if job is None:
            raise NotQuarantined(f"There is no job {job_id}; `celeriac quarantine list` shows those in the quarantine.")
        with broker_errors():
            since_us = self._redis.zscore(keys.quarantine(job.model), job_id)
        if since_us is None:
            raise NotQuarantined(f"Job {job_id} of the model {job.model} is {job.status} and not in the quarantine.")
        return self._quarantined([job], [since_us])[0]

    def retry(self, job_id: str) -> Job:
        """Submit a new job for the same input, and return it; the old one stays.

        Raises:
            NotQuarantined: it is not in the quarantine, or its input's lifetime is over.
        """
        job = self.get(job_id).job
        with broker_errors():
            payload = cast(bytes | None, self._redis.get(keys.job_input(job_id)))
        if payload is None:
            raise NotQuarantined(f"The input of job {job_id} is not kept any more; submit it again instead.")
        again = job.retry(new_job_id())
        self._store.submit(again, payload)
        return again

    def drop(self, job_id: str) -> None:
        """Free a job's input and forget it here; its record stays as long as that of any job that has ended now.

        Raises:
            NotQuarantined: it is not in the quarantine.
        """
        job = self.get(job_id).job
        with broker_errors():
            pipeline = self._redis.pipeline()
            pipeline.delete(keys.job_input(job_id))
            pipeline.zrem(keys.quarantine(job.model), job_id)
            pipeline.expire(keys.job(job_id), self._result_ttl_s)
            pipeline.expire(keys.job_callback(job_id), self._result_ttl_s)
            pipeline.expire(keys.idempotency(job.idempotency), self._result_ttl_s)
            pipeline.execute()

    def forget_older_than(self, ttl_s: int) -> None:
        """Take those off the index that came longer ago; Redis drops their records and inputs by itself."""
        with broker_errors():
            before_us = server_time_us(self._redis) - ttl_s * 1_000_000
            for model in self._models():
                self._redis.zremrangebyscore(keys.quarantine(model), "-inf", before_us)

    def _models(self) -> Sequence[str]:
        with broker_errors():
            return sorted(raw.decode() for raw in cast(set[bytes], self._redis.smembers(keys.MODELS)))

    def _list_model(self, model: str) -> Sequence[Quarantined]:
        with broker_errors():
            entries = cast(
                Sequence[tuple[bytes, float]], self._redis.zrange(keys.quarantine(model), 0, -1, withscores=True)
            )
        records = self._store.find_many([raw.decode() for raw, _ in entries])
        kept = [(job, since_us) for job, (_, since_us) in zip(records, entries, strict=True) if job]
        return self._quarantined([job for job, _ in kept], [since_us for _, since_us in kept])

    def _quarantined(self, jobs: Sequence[Job], since_us: Sequence[float]) -> Sequence[Quarantined]:
        with broker_errors():
            pipeline = self._redis.pipeline(transaction=False)
            for job in jobs:
                pipeline.strlen(keys.job_input(job.id))
            sizes = cast(Sequence[int], pipeline.execute())
        return [Quarantined(job, int(us), size) for job, us, size in zip(jobs, since_us, sizes, strict=True)]
