from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from tasks import keys
from tasks.broker import connect
from tasks.caps import Caps
from tasks.errors import BrokerUnavailable, IdempotencyKeyReused, QueueFull, TasksError
from tasks.job import Job, Lane, Status, new_job_id
from tasks.job_store import JobStore
from tasks.message import task_message
from tasks.queues import queue_list
from tasks.receipt import Receipt
from tasks.submission import CHUNK_JOBS
from tests.valkey import Valkey


def make_jobs(count: int, model: str = "digits", lane: Lane = Lane.BULK) -> list[tuple[Job, bytes]]:
    jobs = [Job(id=new_job_id(), model=model, version=1, lane=lane, tag=f"row {index}") for index in range(count)]
    return [(job, job.tag.encode()) for job in jobs]


def ids(jobs: list[tuple[Job, bytes]]) -> list[str]:
    return [job.id for job, _ in jobs]


def test_many_jobs_are_recorded_as_each_alone_would_be_and_wait_in_their_order(
    client: redis.Redis, job_store: JobStore
) -> None:
    jobs = make_jobs(CHUNK_JOBS + 7)
    others = make_jobs(2, model="hands", lane=Lane.INTERACTIVE)
    job_store.submit_many(iter([*jobs, *others]))
    assert [job.tag for job in job_store.find_many(ids(jobs)) if job is not None] == [job.tag for job, _ in jobs]
    assert [job.status for job in job_store.find_many(ids(others)) if job is not None] == [Status.QUEUED] * 2
    assert client.mget(keys.job_input(job_id) for job_id in ids(jobs)) == [payload for _, payload in jobs]
    assert client.zcard(keys.unfinished("digits")) == len(jobs)
    waiting = client.lrange(queue_list("model.digits", 9), 0, -1)
    assert all(job_id in message.decode() for job_id, message in zip(ids(jobs), reversed(waiting), strict=True))
    assert client.llen(queue_list("model.hands", 0)) == 2


def test_a_message_of_a_bulk_is_that_of_one_job(client: redis.Redis, job_store: JobStore) -> None:
    [(job, payload)] = make_jobs(1)
    job_store.submit_many([(job, payload)])
    sent, tag = client.rpop(queue_list("model.digits", 9)), b'"delivery_tag": "'
    assert sent.partition(tag)[0] == task_message(job).partition(tag)[0]


def test_submitting_the_same_ids_again_stores_only_the_rest(client: redis.Redis, job_store: JobStore) -> None:
    jobs = make_jobs(5)
    job_store.submit_many(jobs[:3])
    job_store.submit_many([*jobs, jobs[4]])
    assert client.llen(queue_list("model.digits", 9)) == 5
    assert client.zcard(keys.unfinished("digits")) == 5


def test_of_jobs_that_are_submitted_each_for_itself_the_outcome_of_each_is_told(client: redis.Redis) -> None:
    store = JobStore(client, 3600, Caps(queued_jobs=CHUNK_JOBS + 1))
    jobs = make_jobs(CHUNK_JOBS + 3)
    first = replace(jobs[0][0], idempotency="i", request="r")
    twin, other = replace(first, id=new_job_id()), replace(first, id=new_job_id(), request="s")
    given = [(first, b""), (twin, b""), (other, b""), *jobs[1:]]
    told: list[tuple[Job, Receipt | TasksError]] = []
    store.submit_each(given, lambda job, outcome: told.append((job, outcome)))
    assert [job for job, _ in told] == [job for job, _ in given]
    outcomes = [outcome for _, outcome in told]
    assert [outcome.job_id for outcome in outcomes if isinstance(outcome, Receipt)] == [
        *(first.id, first.id),
        *ids(jobs[1 : CHUNK_JOBS + 1]),
    ]
    assert [type(outcome) for outcome in outcomes if not isinstance(outcome, Receipt)] == [
        IdempotencyKeyReused,
        QueueFull,
        QueueFull,
    ]


def test_deadlines_are_kept_for_the_jobs_that_have_one(client: redis.Redis, job_store: JobStore) -> None:
    jobs = make_jobs(2)
    late = Job(id=new_job_id(), model="digits", version=1, lane=Lane.BULK, expires_in_s=60.5)
    job_store.submit_many([jobs[0], (late, b""), jobs[1]])
    [(member, deadline_us)] = client.zrange(keys.DEADLINES, 0, -1, withscores=True)
    assert member.decode() == late.id
    created_at_us = job_store.get(late.id).created_at_us
    assert created_at_us is not None and deadline_us - created_at_us == pytest.approx(60.5e6, abs=1)


def test_each_job_tells_flower_of_itself(client: redis.Redis, job_store: JobStore) -> None:
    with client.pubsub() as heard:
        heard.psubscribe("*celeryev*")
        assert heard.get_message(timeout=5)
        job_store.submit_many(make_jobs(3))
        events = [heard.get_message(timeout=5) for _ in range(3)]
    assert [event["channel"] for event in events] == [b"/0.celeryev/task.sent"] * 3


def test_a_server_that_forgets_its_scripts_meanwhile_loses_no_job(client: redis.Redis, job_store: JobStore) -> None:
    jobs = make_jobs(3 * CHUNK_JOBS)

    def forgetting() -> Iterator[tuple[Job, bytes]]:
        for index, pair in enumerate(jobs):
            if index % CHUNK_JOBS == 1:
                client.script_flush()
            yield pair

    job_store.submit_many(forgetting())
    assert client.zcard(keys.unfinished("digits")) == len(jobs)


def test_connections_cut_meanwhile_cost_no_job_and_double_none(client: redis.Redis, job_store: JobStore) -> None:
    jobs = make_jobs(3 * CHUNK_JOBS)

    def cutting() -> Iterator[tuple[Job, bytes]]:
        for index, pair in enumerate(jobs):
            if index % CHUNK_JOBS == 1:
                client.client_kill_filter(_type="normal", skipme=True)
            yield pair

    job_store.submit_many(cutting())
    assert client.llen(queue_list("model.digits", 9)) == len(jobs)


def test_a_broker_that_goes_away_meanwhile_has_whole_chunks_and_takes_the_rest_later(own_valkey: Valkey) -> None:
    client = connect(own_valkey.url)
    store = JobStore(client, 3600)
    jobs = make_jobs(4 * CHUNK_JOBS)

    def stopping() -> Iterator[tuple[Job, bytes]]:
        for index, pair in enumerate(jobs):
            if index == 2 * CHUNK_JOBS + 1:
                own_valkey.stop()
            yield pair

    with pytest.raises(BrokerUnavailable):
        store.submit_many(stopping())
    own_valkey.start()
    stored = client.zcard(keys.unfinished("digits"))
    assert stored in (CHUNK_JOBS, 2 * CHUNK_JOBS)
    assert client.llen(queue_list("model.digits", 9)) == stored
    store.submit_many(jobs)
    assert client.llen(queue_list("model.digits", 9)) == len(jobs)
    client.close()


def test_a_full_broker_takes_no_part_of_a_chunk(client: redis.Redis, job_store: JobStore) -> None:
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(BrokerUnavailable, match="takes no writes"):
            job_store.submit_many(make_jobs(3))
        assert client.dbsize() == 0
    finally:
        client.config_set("maxmemory", 0)


def test_jobs_that_cannot_be_made_leave_the_connection_usable(client: redis.Redis, job_store: JobStore) -> None:
    def failing() -> Iterator[tuple[Job, bytes]]:
        yield from make_jobs(CHUNK_JOBS + 1)
        raise RuntimeError("the file ends here")

    with pytest.raises(RuntimeError, match="the file ends here"):
        job_store.submit_many(failing())
    assert client.ping() is True
    job_store.submit_many(make_jobs(1))
    assert client.zcard(keys.unfinished("digits")) == CHUNK_JOBS + 1


def test_many_threads_submit_through_one_store(client: redis.Redis, job_store: JobStore) -> None:
    threads = [threading.Thread(target=job_store.submit_many, args=(make_jobs(CHUNK_JOBS + 3),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.llen(queue_list("model.digits", 9)) == 4 * (CHUNK_JOBS + 3)
