"""A server and three workers on it, and what tests of batching ask of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis
from kombu import pools

from tasks import keys
from tasks.broker import connect, server_time_us
from tasks.job import Job, Lane, Status
from tasks.job_store import JobStore
from tests.live_worker import LiveWorker, answer, leftovers, make_job, stock_app, submit
from tests.system import eventually
from tests.tiny_models import add_detector
from tests.valkey import Valkey
from tests.worker_models import add_willing, willing_inputs

#: The worker that most tests are about, and that serves the model `willing`.
WORKER = "one@tests"

_MODELS = ("willing", "impatient", "detector")


@dataclass(frozen=True)
class Stage:
    """A server, and the workers of three models on it."""

    url: str
    client: redis.Redis
    store: JobStore

    def await_clean(self, model: str = "willing") -> None:
        """Wait until nothing is left of a model's jobs; else show what is."""
        left: dict[str, Any] = {}

        def is_clean() -> bool:
            left.clear()
            left.update(leftovers(self.client, model))
            return not left

        with suppress(AssertionError):
            eventually(is_clean, 20)
        assert left == {}

    def await_all_clean(self) -> None:
        """Wait until no message, claim or unfinished job is left of any model."""
        for model in _MODELS:
            self.await_clean(model)

    def occupy(self, wait_ms: int, model: str = "willing") -> str:
        """Have the model compute for so long; gives the id of the job that it computes."""
        [job_id] = submit(self.store, [willing(0, model, wait_ms=wait_ms)])
        eventually(lambda: self.store.get(job_id).status is Status.RUNNING, 10)
        return job_id

    def outputs(self, job_id: str) -> Any:
        """A job's answer, by name of the output."""
        return answer(self.store, job_id)["outputs"]

    def record_only(self, job: Job, payload: bytes) -> None:
        """Record a job without a message."""
        now_us = server_time_us(self.client)
        pipeline = self.client.pipeline()
        pipeline.hset(keys.job(job.id), mapping=cast(Any, {**job.to_hash(), "created_at_us": now_us}))
        pipeline.set(keys.job_input(job.id), payload)
        pipeline.zadd(keys.unfinished(job.model), {job.id: now_us})
        pipeline.execute()

    def send_stock(self, job: Job, **options: Any) -> None:
        """Have a stock producer send a job's message."""
        with stock_app(self.url) as app:
            app.send_task("predict", [job.id], task_id=job.id, queue="model.willing", **options)

    def cut_all(self) -> None:
        """End all connections but our own."""
        for kind in ("normal", "pubsub"):
            self.client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        # kombu keeps those of stock producers, which do not notice.
        pools.reset()


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    """Start server and workers, and stop them in the end."""
    (folder / "valkey").mkdir()
    server = Valkey(folder / "valkey")
    server.start()
    models = folder / "models"
    add_willing(models, "willing")
    add_willing(models, "impatient")
    add_detector(models)
    workers = [
        LiveWorker(models, server.url, "willing", folder / "one", "one", CELERIAC_LEASE_S="30"),
        LiveWorker(models, server.url, "impatient", folder / "two", "two", CELERIAC_BULK_PATIENCE_S="1"),
        LiveWorker(models, server.url, "detector", folder / "three", "three"),
    ]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.await_ready()
        client = connect(server.url)
        yield Stage(server.url, client, JobStore(client, 3600))
        client.close()
    finally:
        for worker in workers:
            worker.kill()
        server.stop()


def willing(number: float, model: str = "willing", lane: Lane = Lane.INTERACTIVE, **values: Any) -> tuple[Job, bytes]:
    """A job that the willing model answers with 2 * number + 1, and its payload."""
    return make_job(model, willing_inputs(number, **values), lane=lane)


def batches(jobs: list[Job]) -> list[list[Job]]:
    """Jobs that began in one step, the earliest first."""
    times = sorted({job.started_at_us or 0 for job in jobs})
    return [[job for job in jobs if job.started_at_us == time_us] for time_us in times]
