"""Job records in Redis: submit, read, start, finish, wait. Each change of a record is one atomic step."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis

from tasks import keys
from tasks.broker import broker_errors, server_time_us
from tasks.errors import ForeignJob, JobFinished, JobGone, JobNotFound, StaleDelivery
from tasks.job import Failure, FailureType, Job, Status, may_be_gone
from tasks.message import event_channel
from tasks.script_stream import stream_calls
from tasks.submission import chunks, script_call

#: A job that has been about to run this often, and never ended, kills its workers.
MAX_ATTEMPTS = 3

_LUA = Path(__file__).parent / "lua"


@dataclass(frozen=True)
class Started:
    """What a worker gets when it takes a job: the record with its new delivery and attempt, and the raw input."""

    job: Job
    payload: bytes


class JobStore:
    """Jobs in Redis. Safe to share between threads.

    Every method raises BrokerUnavailable when Redis does not answer.

    Args:
        client: of the broker, see `tasks.broker.connect`.
        result_ttl_s: how long a job's record and result stay after its end.
    """

    def __init__(self, client: redis.Redis, result_ttl_s: int) -> None:
        self._redis = client
        self._result_ttl_s = result_ttl_s
        self._submit = client.register_script((_LUA / "submit.lua").read_text())
        self._start = client.register_script((_LUA / "start.lua").read_text())
        self._finish = client.register_script((_LUA / "finish.lua").read_text())
        self._event_channel = event_channel(int(client.get_connection_kwargs().get("db") or 0))

    def submit(self, job: Job, payload: bytes) -> None:
        """Record the job and queue it. When this returns, record, input and message are stored.

        Submitting the same id again changes nothing, so that a client of Redis that lost the answer may ask again.
        """
        self.submit_many([(job, payload)])

    def submit_many(self, jobs: Iterable[tuple[Job, bytes]]) -> None:
        """Record and queue many jobs with their inputs, in their order, a chunk in each round trip.

        When BrokerUnavailable is raised, the jobs of earlier chunks are stored, those of later ones are not, and those
        of the chunk under way are all stored or none of them; there is never a part of a job. Submitting all of them
        again stores the rest.
        """
        calls = (script_call(chunk, self._event_channel) for chunk in chunks(jobs))
        with broker_errors():
            stream_calls(self._redis, self._submit, calls)

    def get(self, job_id: str) -> Job:
        """The job's record.

        Raises:
            JobNotFound: never submitted here.
            JobGone: ended, and its lifetime is over.
        """
        job = self.find(job_id)
        if job is None:
            raise self.absent(job_id)
        return job

    def find(self, job_id: str) -> Job | None:
        """The job's record, or None."""
        return self.find_many([job_id])[0]

    def find_many(self, job_ids: Sequence[str]) -> list[Job | None]:
        """The records of many jobs in one round trip, None where there is none."""
        with broker_errors():
            pipeline = self._redis.pipeline(transaction=False)
            for job_id in job_ids:
                pipeline.hgetall(keys.job(job_id))
            stored = pipeline.execute()
        pairs = zip(job_ids, stored, strict=True)
        return [Job.from_hash(job_id, record) if record else None for job_id, record in pairs]

    def result(self, job_id: str) -> dict[str, bytes]:
        """The parts of a job's result (see `tasks.result`); empty when there is none any more."""
        with broker_errors():
            stored = cast(Mapping[bytes, bytes], self._redis.hgetall(keys.job_result(job_id)))
        return {part.decode(): data for part, data in stored.items()}

    def delete_result(self, job_id: str) -> None:
        """Free the memory of a job's result; the record stays."""
        with broker_errors():
            self._redis.delete(keys.job_result(job_id))

    def start(self, job_id: str, model: str, worker: str, claim: str = "") -> Started:
        """Take a job to run it: status running, one more delivery and attempt.

        Args:
            job_id: which job.
            model: the worker's.
            worker: its name.
            claim: any text of this one taking. Asking again with it, because the broker's answer was lost, counts
                nothing twice.

        Raises:
            JobNotFound: there is no record.
            ForeignJob: it is a job for another model.
            JobFinished: it has ended; or its deadline had passed, or it had `MAX_ATTEMPTS`, and it has ended now.
        """
        with broker_errors():
            answer = self._start(
                keys=[keys.job(job_id), keys.job_input(job_id), keys.running(model), keys.DEADLINES],
                args=[worker, job_id, model, MAX_ATTEMPTS, claim],
            )
        word = answer[0].decode()
        if word == "missing":
            raise JobNotFound(f"There is no record of a job {job_id}.")
        if word == "foreign":
            raise ForeignJob(f"Job {job_id} is not for the model {model}; its message is dropped.")
        if word == "late":
            word = self._end_unstarted(job_id, model, Status.EXPIRED)
        if word == "poisoned":
            message = f"Its worker died each of the {MAX_ATTEMPTS} times that it ran."
            word = self._end_unstarted(job_id, model, Status.FAILED, Failure(FailureType.POISONED, message))
        if word != Status.RUNNING:
            raise JobFinished(job_id, word)
        pairs = answer[1]
        record = dict(zip(pairs[::2], pairs[1::2], strict=True))
        return Started(Job.from_hash(job_id, record), answer[2] or b"")

    def succeed(self, job: Job, result: Mapping[str, bytes], compute_ms: float) -> None:
        """Store a job's result and end it.

        Raises:
            JobNotFound, JobFinished, StaleDelivery: its record is gone, it has ended, or another worker has it;
                nothing is written.
        """
        fields = {"compute_ms": f"{compute_ms:.3f}", "version": str(job.version)}
        self._end_once(job, Status.SUCCEEDED, fields, result)

    def fail(self, job: Job, failure: Failure, compute_ms: float | None = None) -> None:
        """End a job without a result. Raises like `succeed`."""
        fields = {
            "failure_type": failure.type,
            "failure_message": failure.message,
            "version": str(job.version),
        }
        if compute_ms is not None:
            fields["compute_ms"] = f"{compute_ms:.3f}"
        self._end_once(job, Status.FAILED, fields, {})

    def cancel(self, job_id: str) -> Job:
        """End a job that its client does not want any more; what a worker still computes for it is thrown away.

        Raises:
            JobNotFound, JobGone: there is no record.
            JobFinished: it has ended already.
        """
        job = self.get(job_id)
        word = self._end(job_id, job.model, Status.CANCELLED, delivery=None)
        if word != "done":
            raise JobFinished(job_id, word)
        return self.get(job_id)

    def expire_overdue(self, most: int = 1000) -> int:
        """End queued jobs whose deadline has passed; returns how many."""
        with broker_errors():
            now_us = server_time_us(self._redis)
            overdue = cast(
                list[bytes], self._redis.zrange(keys.DEADLINES, "-inf", now_us, byscore=True, offset=0, num=most)
            )
        expired = 0
        for job_id, job in zip(overdue, self.find_many([raw.decode() for raw in overdue]), strict=True):
            # A worker that starts the job meanwhile makes the delivery stale, so a job that runs is left alone.
            if job is None or job.status is not Status.QUEUED:
                with broker_errors():
                    self._redis.zrem(keys.DEADLINES, job_id)
            elif self._end(job.id, job.model, Status.EXPIRED, job.delivery) == "done":
                expired += 1
        return expired

    def fail_unrecorded(self, job_id: str, model: str, failure: Failure) -> None:
        """Leave a failed record for a message that came without one, so that who sent it can see why."""
        if may_be_gone(job_id, time.time(), self._result_ttl_s):
            return
        job = Job(
            id=job_id,
            model=model,
            version=0,
            status=Status.FAILED,
            failure_type=failure.type,
            failure_message=failure.message,
        )
        with broker_errors():
            pipeline = self._redis.pipeline()
            pipeline.hset(keys.job(job_id), mapping=cast(Any, job.to_hash()))
            pipeline.expire(keys.job(job_id), self._result_ttl_s)
            pipeline.execute()

    def wait(self, job_id: str, timeout_s: float) -> Job:
        """The job's record as soon as it has ended, or as it is after `timeout_s`.

        Holds one connection while it waits.

        Raises:
            JobNotFound, JobGone: there is no record.
        """
        job = self.get(job_id)
        if job.is_finished or timeout_s <= 0:
            return job
        deadline_s = time.monotonic() + timeout_s
        with broker_errors(), cast(Any, self._redis).pubsub() as channel:
            channel.subscribe(keys.finished_channel(job_id))
            while (left_s := deadline_s - time.monotonic()) > 0:
                # Its first message confirms the subscription: an end before that is seen in the record, one after
                # it is heard.
                if channel.get_message(timeout=left_s) is not None:
                    job = self.get(job_id)
                if job.is_finished:
                    break
        return job

    def _end_unstarted(self, job_id: str, model: str, status: Status, failure: Failure | None = None) -> str:
        """End a job that may not run; gives the status that it has ended with, here or elsewhere."""
        fields = {"failure_type": failure.type, "failure_message": failure.message} if failure else {}
        word = self._end(job_id, model, status, None, fields)
        return status if word == "done" else word

    def _end_once(self, job: Job, status: Status, fields: Mapping[str, str], result: Mapping[str, bytes]) -> None:
        word = self._end(job.id, job.model, status, job.delivery, fields, result)
        if word == "missing":
            raise JobNotFound(f"There is no record of a job {job.id} any more.")
        if word == "stale":
            raise StaleDelivery(
                f"Job {job.id} is with another worker; the answer of delivery {job.delivery} is dropped."
            )
        if word != "done":
            raise JobFinished(job.id, word)

    def _end(
        self,
        job_id: str,
        model: str,
        status: Status,
        delivery: int | None,
        fields: Mapping[str, str] | None = None,
        result: Mapping[str, bytes] | None = None,
    ) -> str:
        pairs: list[Any] = [part for pair in (fields or {}).items() for part in pair]
        parts: list[Any] = [part for pair in (result or {}).items() for part in pair]
        with broker_errors():
            word: bytes = self._finish(
                keys=[
                    keys.job(job_id),
                    keys.job_input(job_id),
                    keys.job_result(job_id),
                    keys.unfinished(model),
                    keys.running(model),
                    keys.finished(model),
                    keys.DEADLINES,
                ],
                args=[
                    job_id,
                    status,
                    "" if delivery is None else delivery,
                    self._result_ttl_s,
                    keys.finished_channel(job_id),
                    len(pairs),
                    *pairs,
                    *parts,
                ],
            )
        return word.decode()

    def absent(self, job_id: str) -> JobNotFound | JobGone:
        """What to raise for a job without a record; asks nobody."""
        if may_be_gone(job_id, time.time(), self._result_ttl_s):
            return JobGone(f"Job {job_id} has ended, and it is kept for {self._result_ttl_s} s only.")
        return JobNotFound(f"There is no job {job_id}.")
