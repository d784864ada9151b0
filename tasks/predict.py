"""The Celery task: take a job's record, have the model run it, end the record. It computes nothing itself."""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from celery import Task, shared_task
from celery.exceptions import Ignore

from tasks.errors import BrokerUnavailable, ForeignJob, JobFailed, JobFinished, JobNotFound, StaleDelivery
from tasks.inference import Answer, infer
from tasks.job import Failure, FailureType, Job, Status
from tasks.job_store import JobStore
from tasks.message import TASK_NAME
from tasks.queues import model_of

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    # Brings TensorFlow, and this module is loaded by Flower and the keeper too.
    from model_store.model import Model

T = TypeVar("T")

#: While the broker is away a worker asks again after 0.5 s, then ever longer, at most this long.
LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True)
class Bench:
    """All that a worker needs to run jobs: the model it has loaded, the records, its own name."""

    model: Model
    store: JobStore
    worker: str
    max_image_pixels: int


class PredictTask(Task):  # type: ignore[type-arg]
    """The task with what the process loaded for it; `tasks.worker` sets `bench` before the first message."""

    bench: Bench


@shared_task(bind=True, base=PredictTask, name=TASK_NAME, throws=(JobFailed,))
def predict(self: PredictTask, job_id: str) -> None:
    """Run one recorded job.

    Raises:
        JobFailed: so that Celery's state and Flower say so; the record holds the sentence.
        Ignore: the job was cancelled, has expired, is with another worker or another model's; nothing more is said.
    """
    try:
        failure = _run(self.bench, str(job_id))
    except JobNotFound:
        _fail_unrecorded(self, str(job_id))
    except JobFinished as finished:
        _accept_end(self, finished)
    except (ForeignJob, StaleDelivery) as dropped:
        logger.warning("%s", dropped)
        raise Ignore from None
    else:
        if failure is not None:
            raise JobFailed(failure.type.value)


def _run(bench: Bench, job_id: str) -> Failure | None:
    claim = uuid.uuid4().hex
    started = until_broker_answers(lambda: bench.store.start(job_id, bench.model.name, bench.worker, claim))
    # The record says in the end which version ran.
    job = replace(started.job, version=bench.model.version)
    if job.pinned and job.version != started.job.version:
        answer = Answer(0.0, failure=_replaced(started.job, job))
    else:
        answer = infer(bench.model, job, started.payload, bench.max_image_pixels)
    until_broker_answers(lambda: _end(bench.store, job, answer))
    return answer.failure


def _replaced(asked: Job, served: Job) -> Failure:
    message = f"Version {asked.version} was asked for, and replaced by {served.version} while the job waited."
    return Failure(FailureType.VERSION_NOT_SERVED, message)


def until_broker_answers(action: Callable[[], T]) -> T:
    """Do it again until the broker is back: a computed answer is worth the wait, and nothing else can be done."""
    pause_s = 0.5
    while True:
        try:
            return action()
        except BrokerUnavailable as away:
            logger.warning("%s Asking again in %.1f s.", away, pause_s)
            time.sleep(pause_s * random.uniform(0.5, 1))
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


def _end(store: JobStore, job: Job, answer: Answer) -> None:
    if answer.failure is None:
        store.succeed(job, answer.parts, answer.compute_ms)
    else:
        store.fail(job, answer.failure, answer.compute_ms)


def _fail_unrecorded(task: PredictTask, job_id: str) -> None:
    queue = (task.request.delivery_info or {}).get("routing_key") or ""
    failure = Failure(FailureType.RECORD_MISSING, "A message came for this id, but nobody had recorded a job.")
    model = model_of(queue) or task.bench.model.name
    until_broker_answers(lambda: task.bench.store.fail_unrecorded(job_id, model, failure))
    logger.error("There is no record of a job %s; its message is dropped.", job_id)
    raise JobFailed(FailureType.RECORD_MISSING.value)


def _accept_end(task: Any, finished: JobFinished) -> None:
    """Tell Celery, and so Flower, how the job has ended without this delivery."""
    logger.info("%s", finished)
    if finished.status == Status.FAILED:
        raise JobFailed(str(finished))
    if finished.status != Status.SUCCEEDED:
        task.send_event("task-revoked", terminated=False, signum=None, expired=finished.status == Status.EXPIRED)
        raise Ignore
