"""Job records in Redis: submit, read, start, finish, wait. Each change of a record is one atomic step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, cast

import redis

from tasks import keys
from tasks.broker import broker_errors, server_time_us
from tasks.broker_memory import MemoryGuard
from tasks.caps import NO_CAPS, Caps
from tasks.errors import JobFinished, JobGone, JobNotFound, TasksError
from tasks.finish_listener import FinishListener, Found, Watch
from tasks.group_commit import GroupCommit
from tasks.job import Failure, Job, Status, may_be_gone
from tasks.job_end import DONE, MISSING, End, JobEnds, failure_fields
from tasks.listings import Listings
from tasks.message import event_channel
from tasks.receipt import Receipt, read_receipts
from tasks.script_stream import ScriptCall, stream_calls
from tasks.submission import CHUNK_BYTES, Chunk, chunks, script_arguments

_LUA = Path(__file__).parent / "lua"


class JobStore:
    """Jobs in Redis. Safe to share between threads.

    Every method raises BrokerUnavailable when Redis does not answer.

    Attributes:
        listings: The jobs of each owner.

    Args:
        client: of the broker, see `tasks.broker.connect`.
        result_ttl_s: how long a job's record and result stay after its end.
        caps: beyond which submissions are refused.
    """

    def __init__(self, client: redis.Redis, result_ttl_s: int, caps: Caps = NO_CAPS) -> None:
        self._redis = client
        self._caps = caps
        self._memory = MemoryGuard(client, caps.memory_percent)
        self._result_ttl_s = result_ttl_s
        self._submit = client.register_script((_LUA / "submit.lua").read_text())
        self._submissions = GroupCommit(self._store)
        self._ends = JobEnds(client, result_ttl_s)
        self._listener = FinishListener(client, self._read)
        self.listings = Listings(client)
        self._event_channel = event_channel(int(client.get_connection_kwargs().get("db") or 0))

    def submit(self, job: Job, payload: bytes) -> Receipt:
        """Record the job and queue it. When this returns, record, input and message are stored.

        Submitting the same id again changes nothing, so that a client of Redis that lost the answer may ask again. The
        same request with the same idempotency (see `tasks.job`) is the job that it was before, as long as that is kept.

        Raises:
            IdempotencyKeyReused: another request came with this idempotency before.
            QueueFull, MemoryFull: there is no room for it, see `tasks.caps`. One that is stored is found all the same.
        """
        if len(payload) > CHUNK_BYTES:
            # It would hold up the small ones that go with it.
            (receipt,) = self._store([(job, payload)])
        else:
            receipt = self._submissions.store((job, payload))
        if isinstance(receipt, TasksError):
            raise receipt
        return receipt

    def submit_many(self, jobs: Iterable[tuple[Job, bytes]]) -> None:
        """Record and queue many jobs with their inputs, in their order, a chunk in each round trip.

        When BrokerUnavailable is raised, the jobs of earlier chunks are stored, those of later ones are not, and those
        of the chunk under way are all stored or none of them; there is never a part of a job. Submitting all of them
        again stores the rest.

        Raises:
            QueueFull, MemoryFull: there is no room for a job of the chunk under way, see `tasks.caps`; those of the
                chunk for which there is are stored, later chunks are not.
            IdempotencyKeyReused: the same of a job that is another than came before with its idempotency.
        """

        def check(_: Job, outcome: Receipt | TasksError) -> None:
            if isinstance(outcome, TasksError):
                raise outcome

        self.submit_each(jobs, check)

    def submit_each(self, jobs: Iterable[tuple[Job, bytes]], heed: Callable[[Job, Receipt | TasksError], None]) -> None:
        """Record and queue many jobs as `submit_many` does; for one that is refused the others are stored all the same.

        Args:
            jobs: with their inputs. About a chunk more is taken than has an outcome yet.
            heed: told the outcome of each job, in their order: a receipt, or why the job is not recorded.
        """

        def tell(chunk: Chunk, answer: Any) -> None:
            for (job, _), outcome in zip(chunk, read_receipts(chunk, answer, self._caps), strict=True):
                heed(job, outcome)

        self._stream(jobs, tell)

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
        return _parts(stored)

    def get_with_result(self, job_id: str, watch: Watch | None = None) -> tuple[Job, dict[str, bytes]]:
        """The job's record and, when it has succeeded, its result's parts, in one round trip. Raises like `get`.

        Args:
            job_id: whose.
            watch: the caller's on this job; where it has found both already, there is no round trip.
        """
        record, parts = (watch and watch.found) or self._read([job_id])[0]
        if not record:
            raise self.absent(job_id)
        return _with_parts(job_id, record, parts)

    def find_results(self, job_ids: Sequence[str]) -> dict[str, tuple[Job, dict[str, bytes]]]:
        """Records with results as `get_with_result` has them, by id, in one round trip; those that there are."""
        found = zip(job_ids, self._read(job_ids), strict=True)
        return {job_id: _with_parts(job_id, record, parts) for job_id, (record, parts) in found if record}

    def get_with_position(self, job_id: str, model: str) -> tuple[Job, int]:
        """The record of a model's job and how many jobs of that model wait in front of it. Raises like `get`.

        The number is what its submission answered (lua/submit.lua), as it is now; once the job waits no more it means
        nothing.
        """
        with broker_errors():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hgetall(keys.job(job_id))
            pipeline.zrank(keys.unfinished(model), job_id)
            pipeline.zcard(keys.running(model))
            record, rank, running = pipeline.execute()
        if not record:
            raise self.absent(job_id)
        return Job.from_hash(job_id, record), max((rank or 0) - running, 0)

    def delete_result(self, job_id: str) -> None:
        """Free the memory of a job's result; the record stays."""
        self.delete_results([job_id])

    def delete_results(self, job_ids: Sequence[str]) -> int:
        """Free the memory of jobs' results; returns how many had one."""
        if not job_ids:
            return 0
        with broker_errors():
            return self._redis.unlink(*map(keys.job_result, job_ids))

    def cancel(self, job_id: str) -> Job:
        """End a job that its client does not want any more; what a worker still computes for it is thrown away.

        Raises:
            JobNotFound, JobGone: there is no record.
            JobFinished: it has ended already.
        """
        return self._end_unrun(job_id, Status.CANCELLED)

    def expire(self, job_id: str) -> Job:
        """End a job whose message says that it is too late; raises what `cancel` does."""
        return self._end_unrun(job_id, Status.EXPIRED)

    def fail(self, job: Job, failure: Failure) -> None:
        """End a job without a result, when the worker that it was read from still has it; else nothing happens."""
        end = End(job_id=job.id, status=Status.FAILED, delivery=job.delivery, fields=failure_fields(failure))
        self._ends.end(job.model, [end])

    def expire_overdue(self, most: int = 1000) -> int:
        """End queued jobs whose deadline has passed; returns how many."""
        with broker_errors():
            now_us = server_time_us(self._redis)
            overdue = cast(
                list[bytes], self._redis.zrange(keys.DEADLINES, "-inf", now_us, byscore=True, offset=0, num=most)
            )
        ends: dict[str, list[End]] = {}
        for job_id, job in zip(overdue, self.find_many([raw.decode() for raw in overdue]), strict=True):
            # A worker that starts the job meanwhile makes the delivery stale, so a job that runs is left alone.
            if job is None or job.status is not Status.QUEUED:
                with broker_errors():
                    self._redis.zrem(keys.DEADLINES, job_id)
            else:
                end = End(job_id=job.id, status=Status.EXPIRED, delivery=job.delivery)
                ends.setdefault(job.model, []).append(end)
        return sum(self._ends.end(model, some).count(DONE) for model, some in ends.items())

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

        Raises:
            JobNotFound, JobGone: there is no record.
        """
        job = self.get(job_id)
        if job.is_finished or timeout_s <= 0:
            return job
        with self.watch(job_id) as watch:
            # It may have ended between the look before and the watch.
            watch.tell()
            for _ in watch.looks(timeout_s):
                job = self.get_with_result(job_id, watch)[0]
                if job.is_finished:
                    break
        return job

    def watch(self, job_id: str) -> AbstractContextManager[Watch]:
        """Hear of the job's end from now on, see `tasks.finish_listener`; the job need not be submitted yet."""
        return self._listener.watch(job_id)

    def watch_any(self, job_ids: Iterable[str]) -> AbstractContextManager[Watch]:
        """Hear of the end of each of several jobs from now on."""
        return self._listener.watch_any(job_ids)

    def stop_waiting(self) -> None:
        """Let everybody who waits go, with the record as it is now."""
        self._listener.close()

    def _store(self, jobs: Sequence[tuple[Job, bytes]]) -> list[Receipt | TasksError]:
        receipts: list[Receipt | TasksError] = []
        self._stream(jobs, lambda chunk, answer: receipts.extend(read_receipts(chunk, answer, self._caps)))
        return receipts

    def _stream(self, jobs: Iterable[tuple[Job, bytes]], heed: Callable[[Chunk, Any], None]) -> None:
        def call(chunk: Chunk) -> ScriptCall:
            names, arguments = script_arguments(chunk, self._event_channel, self._caps, self._memory.is_full())
            return ScriptCall(names, arguments, partial(heed, chunk))

        with broker_errors():
            stream_calls(self._redis, self._submit, map(call, chunks(jobs)))

    def _read(self, job_ids: Sequence[str]) -> list[Found]:
        with broker_errors():
            pipeline = self._redis.pipeline(transaction=False)
            for job_id in job_ids:
                pipeline.hgetall(keys.job(job_id))
                pipeline.hgetall(keys.job_result(job_id))
            answers = pipeline.execute()
        return list(zip(answers[::2], answers[1::2], strict=True))

    def _end_unrun(self, job_id: str, status: Status) -> Job:
        job = self.get(job_id)
        (word,) = self._ends.end(job.model, [End(job_id=job_id, status=status)])
        if word == MISSING:
            raise self.absent(job_id)
        if word != DONE:
            raise JobFinished(job_id, word)
        return self.get(job_id)

    def absent(self, job_id: str) -> JobNotFound | JobGone:
        """What to raise for a job without a record; asks nobody."""
        if may_be_gone(job_id, time.time(), self._result_ttl_s):
            return JobGone(f"Job {job_id} has ended, and it is kept for {self._result_ttl_s} s only.")
        return JobNotFound(f"There is no job {job_id}.")


def _with_parts(
    job_id: str, record: Mapping[bytes, bytes], parts: Mapping[bytes, bytes]
) -> tuple[Job, dict[str, bytes]]:
    job = Job.from_hash(job_id, record)
    # The job may have ended between the two commands; a result without the record that tells of it waits.
    return job, _parts(parts) if job.status is Status.SUCCEEDED else {}


def _parts(stored: Mapping[bytes, bytes]) -> dict[str, bytes]:
    return {part.decode(): data for part, data in stored.items()}
