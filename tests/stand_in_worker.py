"""A worker for tests of what stands around workers: it takes recorded jobs one by one, without Celery or a model."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from tasks import keys
from tasks.deliveries import Deliveries, Delivery
from tasks.job import Failure, Job, Status
from tasks.job_end import End, JobEnds, failure_fields
from tasks.job_store import JobStore


class StandInWorker:
    """Begins and ends jobs as a worker does; each begin is by a message of its own, as after a lost lease."""

    def __init__(self, store: JobStore, model: str = "digits", name: str = "digits@host", ttl_s: int = 3600) -> None:
        self._redis = store._redis
        self._model = model
        self._store = store
        self.deliveries = Deliveries(self._redis, model, name)
        self._ends = JobEnds(self._redis, ttl_s)

    def claim(self, job_id: str) -> Delivery:
        """Make it look as if a message of the job had been claimed."""
        delivery = Delivery(uuid.uuid4().hex, f"{uuid.uuid4().hex}:1", job_id)
        self._redis.hset(keys.OWNERS, delivery.tag, f"{delivery.token} 0 model.{self._model}")
        return delivery

    def drop(self, delivery: Delivery) -> None:
        """Make it look as if the claim were over."""
        self._redis.hdel(keys.OWNERS, delivery.tag)

    def begin(self, job_id: str) -> int | str:
        """Begin a job; gives what `Deliveries.begin` says."""
        delivery = self.claim(job_id)
        (word,) = self.deliveries.begin([delivery], uuid.uuid4().hex)
        self.drop(delivery)
        return word

    def start(self, job_id: str) -> Job:
        """Begin a job that can be begun; gives its record."""
        word = self.begin(job_id)
        assert isinstance(word, int), word
        return self._store.get(job_id)

    def succeed(self, job: Job, result: Mapping[str, bytes], compute_ms: float = 1.0) -> str:
        """End a job with a result; gives what `JobEnds.end` says."""
        fields = {"compute_ms": f"{compute_ms:.3f}", "version": str(job.version)}
        return self._end(
            End(job_id=job.id, status=Status.SUCCEEDED, delivery=job.delivery, fields=fields, result=result)
        )

    def fail(self, job: Job, failure: Failure) -> str:
        """End a job without one."""
        fields = failure_fields(failure)
        return self._end(End(job_id=job.id, status=Status.FAILED, delivery=job.delivery, fields=fields))

    def _end(self, end: End) -> str:
        return self._ends.end(self._model, [end])[0]
