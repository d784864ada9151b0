from __future__ import annotations

import threading
import time

import pytest
import redis

from tasks import keys
from tasks.broker import connect
from tasks.errors import BrokerUnavailable, ForeignJob, JobFinished, JobGone, JobNotFound, StaleDelivery
from tasks.job import Failure, FailureType, Job, Lane, Status, new_job_id
from tasks.job_store import MAX_ATTEMPTS, JobStore


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
    started = job_store.start(job.id, "digits", "digits@host")
    assert started.payload == b"payload"
    assert (started.job.status, started.job.delivery, started.job.attempt) == (Status.RUNNING, 1, 1)
    # When it succeeds
    job_store.succeed(started.job, {"outputs": b"\x00\x01"}, compute_ms=1.25)
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
    first = job_store.start(job.id, "digits", "a")
    second = job_store.start(job.id, "digits", "b")
    with pytest.raises(StaleDelivery, match="with another worker"):
        job_store.succeed(first.job, {"outputs": b"first"}, 1)
    job_store.succeed(second.job, {"outputs": b"second"}, 1)
    with pytest.raises(JobFinished, match="succeeded"):
        job_store.fail(second.job, Failure(FailureType.MODEL_ERROR, "late"))
    assert job_store.result(job.id) == {"outputs": b"second"}
    with pytest.raises(JobFinished, match="succeeded"):
        job_store.start(job.id, "digits", "c")


def test_a_cancelled_job_stays_cancelled(job_store: JobStore) -> None:
    job = make_job()
    job_store.submit(job, b"")
    started = job_store.start(job.id, "digits", "a")
    assert job_store.cancel(job.id).status is Status.CANCELLED
    with pytest.raises(JobFinished, match="cancelled"):
        job_store.succeed(started.job, {"outputs": b""}, 1)
    with pytest.raises(JobFinished, match="cancelled already"):
        job_store.cancel(job.id)
    assert job_store.result(job.id) == {}


def test_a_job_past_its_deadline_expires_instead_of_running(job_store: JobStore) -> None:
    job = make_job(expires_in_s=0.000001)
    job_store.submit(job, b"")
    with pytest.raises(JobFinished, match="expired"):
        job_store.start(job.id, "digits", "a")
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
        started = job_store.start(job.id, "digits", "a")
        job_store.succeed(started.job, {"outputs": b""}, 1)

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
    for attempt in range(MAX_ATTEMPTS):
        assert job_store.start(job.id, "digits", "w").job.attempt == attempt + 1
    with pytest.raises(JobFinished, match="failed already"):
        job_store.start(job.id, "digits", "w")
    ended = job_store.get(job.id)
    assert (ended.status, ended.failure_type) == (Status.FAILED, "poisoned")


def test_asking_again_after_a_lost_answer_is_not_another_attempt(job_store: JobStore) -> None:
    # Given a worker whose broker answers late, so that it asks again and again
    job = make_job()
    job_store.submit(job, b"payload")
    for _ in range(MAX_ATTEMPTS + 2):
        started = job_store.start(job.id, "digits", "w", claim="one")
    # Then the job has been taken once and is not poisoned, and only another taking counts
    assert (started.job.attempt, started.job.delivery, started.payload) == (1, 1, b"payload")
    assert job_store.start(job.id, "digits", "w", claim="another").job.attempt == 2


def test_a_job_of_another_model_is_left_alone(client: redis.Redis, job_store: JobStore) -> None:
    job = make_job()
    job_store.submit(job, b"")
    with pytest.raises(ForeignJob, match="not for the model hands"):
        job_store.start(job.id, "hands", "w")
    assert job_store.get(job.id).status is Status.QUEUED
    assert client.exists(keys.running("hands")) == 0


def test_a_running_job_is_not_expired_by_its_deadline(job_store: JobStore) -> None:
    job = make_job(expires_in_s=0.2)
    job_store.submit(job, b"")
    first = job_store.start(job.id, "digits", "w")
    deadline_s = time.monotonic() + 0.3
    while time.monotonic() < deadline_s:
        job_store.get(job.id)
    assert job_store.start(job.id, "digits", "w").job.delivery == first.job.delivery + 1


def test_a_full_broker_still_lets_jobs_run_and_end(client: redis.Redis, job_store: JobStore) -> None:
    ran, cancelled = make_job(), make_job()
    for job in (ran, cancelled):
        job_store.submit(job, b"payload")
    client.config_set("maxmemory", 1)
    try:
        started = job_store.start(ran.id, "digits", "w")
        job_store.succeed(started.job, {"outputs": b"x"}, 1)
        assert job_store.cancel(cancelled.id).status is Status.CANCELLED
    finally:
        client.config_set("maxmemory", 0)
    assert job_store.get(ran.id).status is Status.SUCCEEDED


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
