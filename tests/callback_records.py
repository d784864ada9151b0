"""Jobs that want a callback, brought to their end without a worker."""

from __future__ import annotations

from typing import Any

import redis

from tasks import keys
from tasks.callbacks.callback import Callback
from tasks.callbacks.store import Begun, CallbackStore
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tests.stand_in_worker import StandInWorker

URL = "https://hooks.example/secret-path"


def submitted(store: JobStore, **values: Any) -> Job:
    """A job that waits."""
    job = Job(id=new_job_id(), model="digits", version=1, callback_url=values.pop("callback_url", URL), **values)
    store.submit(job, b"input")
    return store.get(job.id)


def succeeded(store: JobStore, result: bytes = b"{}", **values: Any) -> Job:
    """A job that has succeeded."""
    job = submitted(store, **values)
    worker = StandInWorker(store, ttl_s=store._result_ttl_s)
    worker.succeed(worker.start(job.id), {"answer": result})
    return store.get(job.id)


def callback(client: redis.Redis, job: Job) -> Callback:
    return CallbackStore(client).get(job)


def begun(client: redis.Redis, job: Job, lease_s: float = 60.0) -> Begun:
    """The next attempt of a job's callback, handed out or not."""
    store = CallbackStore(client)
    attempt = store.begin(job.id, store.get(job).number, lease_s)
    assert attempt
    return attempt


def due_in_s(client: redis.Redis, job: Job) -> float | None:
    """In how many seconds a job's callback is due; None: it is not."""
    due_at_us = client.zscore(keys.CALLBACKS_DUE, job.id)
    seconds, microseconds = client.time()
    return None if due_at_us is None else due_at_us / 1e6 - seconds - microseconds / 1e6
