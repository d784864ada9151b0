from __future__ import annotations

import threading
import time

import pytest
import redis

from tasks import keys
from tasks.broker import connect
from tasks.deliveries import FOREIGN, LATE, MAX_ATTEMPTS, POISONED
from tasks.errors import BrokerUnavailable, JobFinished, JobGone, JobNotFound
from tasks.job import Failure, FailureType, Job, Lane, Status, new_job_id
from tasks.job_end import DONE, STALE
from tasks.job_store import JobStore
from tests.stand_in_worker import StandInWorker


def make_job(**over: object) -> Job:
    values: dict[str, object] = {"id": new_job_id(), "model": "digits", "version": 1}
    return Job(**(values | over))  # type: ignore[arg-type]


def test_a_submitted_job_is_recorded_with_input_and_message_in_one_step(
    client: redis.Redis, job_store: JobStore
) -> None:
    job = make_job(owner="ann", tag="t", rows=3, min_score=0.25, annotate=True, lane=Lane.BULK)
    job_store.submit(job, b"payload")
    stored = job_store.get(job.id)
    assert (stored.owner, stored.tag, stored.rows, stored.min_score, stored.annotate) == ("ann", "t", 3, 0.25, True)
    assert stored.status is Status.QUEUED
    assert abs(stored.created_at_us / 1e6 - time.time()) < 60
    assert client.get(keys.job_input(job.id)) == b"payload"
    assert client.llen("model.digits\x06\x169") == 1
    assert client.ttl(keys.job(job.id)) == -1


@pytest.mark.parametrize("size_bytes", [262_144, 262_145, 3_000_000])
def test_a_large_input_is_stored_byte_by_byte(client: redis.Redis, job_store: JobStore, size_bytes: int) -> None:
    job, payload = make_job(tag="ä"), bytes(index * 7 % 256 for index in range(size_bytes))
    job_store.submit(job, payload)
    assert client.get(keys.job_input(job.id)) == payload
    assert job_store.get(job.id).tag == "ä"


def test_submitting_an_id_again_changes_nothing(client: redis.Redis, job_store: JobStore) -> None:
    job = make_job()
    job_store.submit(job, b"one")
    job_store.submit(job, b"two")
    assert client.get(keys.job_input(job.id)) == b"one"
    assert client.llen("model.digits") == 1


def test_a_job_runs_from_queued_to_succeeded_and_leaves_only_what_has_a_lifetime(
    client: redis.Redis, job_store: JobStore
) -> None:
    # Given a job that a worker takes
    job = make_job()
    job_store.submit(job, b"payload")
    worker = StandInWorker(job_store)
    started = worker.start(job.id)
    assert (started.status, started.delivery, started.attempt) == (Status.RUNNING, 1, 1)
    # When it succeeds
    assert worker.succeed(started, {"outputs": b"\x00\x01"}, compute_ms=1.25) == DONE
    # Then the record says so, the input is gone and the rest has a lifetime
    ended = job_store.get(job.id)
    assert (ended.status, ended.compute_ms, ended.worker) == (Status.SUCCEEDED, 1.25, "digits@host")
    assert ended.queue_ms is not None and ended.queue_ms >= 0
    assert job_store.result(job.id) == {"outputs": b"\x00\x01"}
    assert client.exists(keys.job_input(job.id), keys.unfinished("digits"), keys.running("digits")) == 0
    assert 0 < client.ttl(keys.job(job.id)) <= 3600
    assert 0 < client.ttl(keys.job_result(job.id)) <= 3600
    assert client.hgetall(keys.finished("digits")) == {b"succeeded": b"1"}


def test_a_result_is_written_once_and_only_by_the_latest_delivery(job_store: JobStore) -> None:
    job = make_job()
    job_store.submit(job, b"")
    worker = StandInWorker(job_store)
    first, second = worker.start(job.id), worker.start(job.id)
    assert worker.succeed(first, {"outputs": b"first"}) == STALE
    assert worker.succeed(second, {"outputs": b"second"}) == DONE
    assert worker.fail(second, Failure(FailureType.MODEL_ERROR, "late")) == "succeeded"
    assert job_store.result(job.id) == {"outputs": b"second"}
    assert worker.begin(job.id) == "succeeded"


def test_a_cancelled_job_stays_cancelled(job_store: JobStore) -> None:
    job = make_job()
    job_store.submit(job, b"")
    worker = StandInWorker(job_store)
    started = worker.start(job.id)
    assert job_store.cancel(job.id).status is Status.CANCELLED
    assert worker.succeed(started, {"outputs": b""}) == "cancelled"
    with pytest.raises(JobFinished, match="cancelled already"):
        job_store.cancel(job.id)
    assert job_store.result(job.id) == {}


def test_a_job_past_its_deadline_expires_instead_of_running(job_store: JobStore) -> None:
    job = make_job(expires_in_s=0.000001)
    job_store.submit(job, b"")
    assert StandInWorker(job_store).begin(job.id) == LATE
    assert job_store.expire_overdue() == 1
    assert job_store.get(job.id).status is Status.EXPIRED


def test_an_old_id_without_a_record_is_gone_and_a_young_one_was_never_there(client: redis.Redis) -> None:
    store = JobStore(client, result_ttl_s=1)
    job = make_job()
    store.submit(job, b"")
    store.cancel(job.id)
    assert client.pttl(keys.job(job.id)) <= 1000
    deadline_s = time.monotonic() + 10
    with pytest.raises(JobGone):
        while time.monotonic() < deadline_s:
            store.get(job.id)
    with pytest.raises(JobNotFound):
        store.get(new_job_id())
    with pytest.raises(JobNotFound):
        store.get("12345678-1234-4234-8234-123456789012")


def test_waiting_returns_with_the_end_and_not_before(job_store: JobStore) -> None:
    job = make_job()
    job_store.submit(job, b"")
    assert job_store.wait(job.id, 0.05).status is Status.QUEUED

    def finish() -> None:
        worker = StandInWorker(job_store)
        worker.succeed(worker.start(job.id), {"outputs": b""})

    finisher = threading.Timer(0.2, finish)
    began_s = time.monotonic()
    finisher.start()
    ended = job_store.wait(job.id, 30)
    finisher.join()
    assert ended.status is Status.SUCCEEDED
    assert 0.1 < time.monotonic() - began_s < 10


def test_a_broker_that_is_away_is_said_in_a_sentence() -> None:
    store = JobStore(connect("redis://127.0.0.1:1/0"), 3600)
    with pytest.raises(BrokerUnavailable, match="does not answer"):
        store.submit(make_job(), b"")
    with pytest.raises(BrokerUnavailable):
        store.wait(new_job_id(), 1)


def test_a_job_that_had_its_attempts_is_poisoned_and_runs_no_more(job_store: JobStore) -> None:
    job = make_job()
    job_store.submit(job, b"")
    worker = StandInWorker(job_store)
    for attempt in range(MAX_ATTEMPTS):
        assert worker.start(job.id).attempt == attempt + 1
    assert worker.begin(job.id) == POISONED
    assert job_store.get(job.id).attempt == MAX_ATTEMPTS


def test_asking_again_after_a_lost_answer_is_not_another_attempt(job_store: JobStore) -> None:
    # Given a worker whose broker answers late, so that it asks again and again
    job = make_job()
    job_store.submit(job, b"payload")
    worker = StandInWorker(job_store)
    claimed = worker.claim(job.id)
    for _ in range(MAX_ATTEMPTS + 2):
        assert worker.deliveries.begin([claimed], run="one") == [1]
    # Then the job has begun once and is not poisoned, and only another beginning counts
    assert job_store.get(job.id).attempt == 1
    assert worker.deliveries.begin([claimed], run="another") == [2]


def test_a_job_of_another_model_is_left_alone(client: redis.Redis, job_store: JobStore) -> None:
    job = make_job()
    job_store.submit(job, b"")
    worker = StandInWorker(job_store, "hands")
    (look,) = worker.deliveries.take([worker.claim(job.id)], most_bytes=1000)
    assert look.word == FOREIGN
    assert job_store.get(job.id).status is Status.QUEUED
    assert client.exists(keys.running("hands")) == 0


def test_a_running_job_is_not_expired_by_its_deadline(job_store: JobStore) -> None:
    job = make_job(expires_in_s=0.2)
    job_store.submit(job, b"")
    worker = StandInWorker(job_store)
    first = worker.start(job.id)
    deadline_s = time.monotonic() + 0.3
    while time.monotonic() < deadline_s:
        job_store.get(job.id)
    assert worker.start(job.id).delivery == first.delivery + 1


def test_a_full_broker_still_lets_jobs_run_and_end(client: redis.Redis, job_store: JobStore) -> None:
    ran, cancelled = make_job(), make_job()
    for job in (ran, cancelled):
        job_store.submit(job, b"payload")
    worker = StandInWorker(job_store)
    claimed = worker.claim(ran.id)
    client.config_set("maxmemory", 1)
    try:
        assert worker.deliveries.begin([claimed], "run") == [1]
        assert worker.succeed(job_store.get(ran.id), {"outputs": b"x"}) == DONE
        assert job_store.cancel(cancelled.id).status is Status.CANCELLED
    finally:
        client.config_set("maxmemory", 0)
    assert job_store.get(ran.id).status is Status.SUCCEEDED


def test_a_full_broker_takes_a_result_only_where_its_input_was_as_large(
    client: redis.Redis, job_store: JobStore
) -> None:
    # Given two jobs with results of 3 MB, one of which has an input of that size
    small, large = make_job(), make_job()
    job_store.submit(small, b"payload")
    job_store.submit(large, bytes(3_000_000))
    worker = StandInWorker(job_store)
    for job in (small, large):
        worker.deliveries.begin([worker.claim(job.id)], job.id)
    client.config_set("maxmemory", 1)
    try:
        # Then the other waits, and is neither ended nor half ended
        with pytest.raises(BrokerUnavailable, match="takes no writes"):
            worker.succeed(job_store.get(small.id), {"outputs": bytes(3_000_000)})
        assert job_store.get(small.id).status is Status.RUNNING
        assert worker.succeed(job_store.get(large.id), {"outputs": bytes(3_000_000)}) == DONE
    finally:
        client.config_set("maxmemory", 0)
    # And ends when there is room
    assert worker.succeed(job_store.get(small.id), {"outputs": bytes(3_000_000)}) == DONE
    assert len(job_store.result(small.id)["outputs"]) == 3_000_000


def test_a_broker_without_memory_takes_no_job_and_leaves_no_half_of_one(
    client: redis.Redis, job_store: JobStore
) -> None:
    client.config_set("maxmemory", 1)
    try:
        job = make_job()
        with pytest.raises(BrokerUnavailable, match="takes no writes"):
            job_store.submit(job, b"payload")
        assert client.dbsize() == 0
    finally:
        client.config_set("maxmemory", 0)
    job_store.submit(job, b"payload")
