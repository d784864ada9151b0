"""Celery's view of the job records: `AsyncResult(job_id)` reads them, and Celery's own writes end up in them.

Leans on `celery.backends.base` as read in celery 5.7.0: `BaseBackend` calls `_get_task_meta_for`, `_store_result`,
`_forget`; `wait_for` and `get_many` are overridden because the stock ones poll every 0.5 s.
tests/acceptance/test_async_result.py fails when that changes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from celery import Celery, states
from celery.backends.base import BaseBackend
from celery.exceptions import TaskRevokedError
from celery.exceptions import TimeoutError as CeleryTimeoutError

from tasks.broker import connect
from tasks.errors import JobFailed, JobFinished, JobGone, JobNotFound
from tasks.job import Failure, FailureType, Job, Status
from tasks.job_store import JobStore
from tasks.result import result_json
from tasks.settings import read_settings

CELERY_STATES = {
    Status.QUEUED: states.PENDING,
    Status.RUNNING: states.STARTED,
    Status.SUCCEEDED: states.SUCCESS,
    Status.FAILED: states.FAILURE,
    Status.CANCELLED: states.REVOKED,
    Status.EXPIRED: states.REVOKED,
}

#: Celery's reason for revoking a task whose message had `expires` (`celery/worker/request.py`, `revoked`).
_EXPIRED = "expired"

#: One wait on the store lasts at most this long, so that an interval callback is called now and then.
LONGEST_WAIT_S = 10.0
#: Pause between two looks at many jobs: those that end within it are read together, where a look for each end would
#: read the records of all that are waited for each time.
LOOK_AGAIN_S = 0.05


class JobRecordBackend(BaseBackend):
    """A result backend that stores nothing of its own."""

    app: Celery

    @cached_property
    def _store(self) -> JobStore:
        settings = read_settings()
        return JobStore(connect(self.app.conf.broker_url, settings.sentinel_master), settings.result_ttl_s)

    def as_uri(self, include_password: bool = False) -> str:
        """What the worker's banner shows."""
        return "job records in the broker"

    def task_result_exists(self, task_id: str) -> bool:
        """Whether there is a record of the job, finished or not."""
        return self._store.find(task_id) is not None

    def wait_for(
        self,
        task_id: str,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_interval: Any = None,
    ) -> dict[str, Any]:
        """The job's meta as soon as it has ended; woken by its end, not by polling.

        Raises:
            JobGone: it ended so long ago that its record is no longer kept.
            celery.exceptions.TimeoutError: it has not ended within `timeout` s.
        """
        deadline_s = None if timeout is None else time.monotonic() + timeout
        while True:
            left_s = LONGEST_WAIT_S if deadline_s is None else min(LONGEST_WAIT_S, deadline_s - time.monotonic())
            job = self._wait(task_id, left_s)
            if job is not None and job.is_finished:
                return self._meta(job)
            if on_interval:
                on_interval()
            if deadline_s is not None and time.monotonic() >= deadline_s:
                state = "unknown" if job is None else job.status
                raise CeleryTimeoutError(f"Job {task_id} is {state} after {timeout} s.")

    def get_many(
        self, task_ids: Iterable[str], timeout: float | None = None, on_message: Any = None, **options: Any
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield id and meta of each job as it ends. Other options of Celery's are not needed here."""
        waiting = list(task_ids)
        deadline_s = None if timeout is None else time.monotonic() + timeout
        while waiting:
            ended = [job for job in self._store.find_many(waiting) if job is not None and job.is_finished]
            for job in ended:
                meta = self._meta(job)
                if on_message is not None:
                    on_message(meta)
                yield job.id, meta
            done = {job.id for job in ended}
            waiting = [job_id for job_id in waiting if job_id not in done]
            if waiting and deadline_s is not None and time.monotonic() >= deadline_s:
                raise CeleryTimeoutError(f"{len(waiting)} jobs have not ended after {timeout} s.")
            if waiting:
                time.sleep(LOOK_AGAIN_S)

    def _wait(self, job_id: str, timeout_s: float) -> Job | None:
        try:
            return self._store.wait(job_id, timeout_s)
        except JobNotFound:
            # To Celery an unknown job is one that may yet come, as after a send_task of a message without a record.
            time.sleep(LOOK_AGAIN_S)
            return None

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        job = self._store.find(task_id)
        if job is None:
            return {"task_id": task_id, "status": states.PENDING, "result": None}
        return self._meta(job)

    def _meta(self, job: Job) -> dict[str, Any]:
        ended_at_us = job.finished_at_us
        return {
            "task_id": job.id,
            "status": CELERY_STATES[job.status],
            "result": self._result(job),
            "traceback": None,
            "children": [],
            "date_done": datetime.fromtimestamp(ended_at_us / 1e6, UTC).isoformat() if ended_at_us else None,
        }

    def _result(self, job: Job) -> Any:
        if job.status is Status.FAILED:
            return JobFailed(job.failure_type, job.failure_message)
        if job.status in (Status.CANCELLED, Status.EXPIRED):
            return TaskRevokedError(str(job.status))
        parts = self._store.result(job.id) if job.status is Status.SUCCEEDED else {}
        return result_json(parts) if parts else None

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: str | None = None, request: Any = None, **kwargs: Any
    ) -> None:
        """What Celery itself has to say of a job. A record that has ended is left as it is.

        SUCCESS, STARTED and RETRY are not Celery's to say: the task has written the record before.
        """
        try:
            if state == states.REVOKED:
                self._store.cancel(task_id)
            elif state == states.FAILURE:
                self._fail(self._store.get(task_id), result, getattr(request, "hostname", None))
        except (JobNotFound, JobGone, JobFinished):
            return

    def mark_as_revoked(self, task_id: str, reason: str = "", *args: Any, **kwargs: Any) -> None:
        """A task was revoked, or its message's `expires` has passed."""
        if reason == _EXPIRED:
            with suppress(JobNotFound, JobGone, JobFinished):
                self._store.expire(task_id)
        super().mark_as_revoked(task_id, reason, *args, **kwargs)

    def _fail(self, job: Job, error: Any, worker: str | None) -> None:
        # A worker that lost the job meanwhile must not fail it for the one that has it now.
        if job.worker == worker:
            message = f"The task ended with {type(error).__name__}; the worker's log says where."
            self._store.fail(job, Failure(FailureType.WORKER_ERROR, message))

    def _forget(self, task_id: str) -> None:
        self._store.delete_result(task_id)
