from __future__ import annotations

import pytest
import redis

from tasks import keys
from tasks.callbacks.callback import RECORDED, Attempt, CallbackStatus, Trouble
from tasks.callbacks.store import MOST_RESULT_BYTES, Begun, CallbackStore
from tasks.job import Failure, FailureType, Job, Status
from tasks.job_store import JobStore
from tasks.queues import CALLBACK_QUEUE, queue_list
from tasks.settings import QUARANTINE_TTL_S
from tests.callback_records import URL, begun, callback, due_in_s, submitted, succeeded
from tests.http_api import until
from tests.stand_in_worker import StandInWorker

DUE, ACCEPTED, GIVEN_UP = RECORDED


@pytest.fixture
def callbacks(client: redis.Redis) -> CallbackStore:
    return CallbackStore(client)


def attempt(begun: Begun, status_code: int = 500) -> Attempt:
    return Attempt(number=begun.number, started_at_us=begun.started_at_us, took_ms=1.5, status_code=status_code)


def end(store: JobStore, how: Status | FailureType) -> Job:
    """A job with a callback that has ended in one of the ways there are."""
    if how is Status.EXPIRED:
        job = submitted(store, expires_in_s=1e-6)
        until(store.expire_overdue)
    elif how is Status.CANCELLED:
        job = submitted(store)
        store.cancel(job.id)
    elif how is Status.SUCCEEDED:
        job = succeeded(store)
    else:
        worker, job = StandInWorker(store), submitted(store)
        worker.fail(worker.start(job.id), Failure(FailureType(how), "It broke."))
    return store.get(job.id)


@pytest.mark.parametrize(
    "how", [Status.SUCCEEDED, Status.CANCELLED, Status.EXPIRED, FailureType.MODEL_ERROR, FailureType.POISONED]
)
def test_a_job_that_ends_in_whatever_way_has_a_callback_that_is_due(
    job_store: JobStore, client: redis.Redis, how: Status | FailureType
) -> None:
    job = end(job_store, how)
    found = callback(client, job)
    assert (found.status, found.number, found.url) == (DUE, 0, URL)
    assert found.due_at_us == job.finished_at_us
    due = due_in_s(client, job)
    assert due is not None and due <= 0
    # It lives as long as the record, which for a poisoned job is longer.
    ttl_s = client.ttl(keys.job_callback(job.id))
    assert ttl_s == client.ttl(keys.job(job.id)) == (QUARANTINE_TTL_S if how == FailureType.POISONED else 3600)


def test_a_job_without_a_callback_leaves_no_trace_of_one(job_store: JobStore, client: redis.Redis) -> None:
    succeeded(job_store, callback_url="")
    assert not list(client.scan_iter("*callback*"))


def test_an_end_that_does_not_count_records_nothing(job_store: JobStore, client: redis.Redis) -> None:
    job, worker = submitted(job_store), StandInWorker(job_store)
    lost = worker.start(job.id)
    worker.start(job.id)
    assert worker.succeed(lost, {}) == "stale"
    assert callback(client, job).status is CallbackStatus.WAITING
    assert due_in_s(client, job) is None


def test_what_is_due_is_handed_out_once_until_the_patience_is_over(
    job_store: JobStore, callbacks: CallbackStore
) -> None:
    jobs = [succeeded(job_store) for _ in range(3)]
    assert callbacks.hand_out(patience_s=0.2) == [(job.id, 0) for job in jobs]
    assert callbacks.hand_out(patience_s=0.2) == []
    # Whoever should have begun them has not: they are handed out again.
    assert len(until(lambda: callbacks.hand_out(patience_s=60))) == 3


def test_no_more_is_handed_out_than_the_queue_has_room_for(
    job_store: JobStore, callbacks: CallbackStore, client: redis.Redis
) -> None:
    first, second = succeeded(job_store), succeeded(job_store)
    client.lpush(queue_list(CALLBACK_QUEUE, 0), "a message")
    assert callbacks.hand_out(most=1) == []
    assert callbacks.hand_out(most=2) == [(first.id, 0)]
    client.delete(queue_list(CALLBACK_QUEUE, 0))
    assert callbacks.hand_out(most=2) == [(second.id, 0)]


def test_a_message_that_comes_twice_begins_one_attempt(job_store: JobStore, callbacks: CallbackStore) -> None:
    job = succeeded(job_store)
    first = callbacks.begin(job.id, 0, 60.0)
    assert first and (first.number, first.tries, first.job, first.result) == (1, 1, job, {"answer": b"{}"})
    assert callbacks.begin(job.id, 0, 60.0) is None


def test_an_attempt_that_is_cut_off_is_followed_by_another(
    job_store: JobStore, callbacks: CallbackStore, client: redis.Redis
) -> None:
    job = succeeded(job_store)
    begun(client, job, lease_s=0.1)
    assert callbacks.hand_out() == []
    assert until(callbacks.hand_out) == [(job.id, 1)]
    # It shows as one whose outcome nobody knows.
    (cut_off,) = callbacks.get(job).attempts
    assert (cut_off.number, cut_off.took_ms, cut_off.status_code, cut_off.trouble) == (1, None, None, None)


def test_a_large_result_is_not_sent_along(job_store: JobStore, client: redis.Redis) -> None:
    assert begun(client, succeeded(job_store, result=b"x" * MOST_RESULT_BYTES)).result
    assert not begun(client, succeeded(job_store, result=b"x" * (MOST_RESULT_BYTES + 1))).result


def test_an_attempt_that_failed_is_followed_by_another_after_its_pause(
    job_store: JobStore, callbacks: CallbackStore, client: redis.Redis
) -> None:
    job = succeeded(job_store)
    one = begun(client, job)
    assert callbacks.settle(job, attempt(one), DUE, pause_s=30)
    due = due_in_s(client, job)
    assert due is not None and 29 < due <= 30
    found = callbacks.get(job)
    assert found.attempts == (attempt(one),)
    assert found.due_at_us and found.due_at_us > one.started_at_us + 29_000_000
    assert begun(client, job).tries == 2


@pytest.mark.parametrize("status", [ACCEPTED, GIVEN_UP])
def test_a_settled_callback_is_due_no_more(
    job_store: JobStore, callbacks: CallbackStore, client: redis.Redis, status: CallbackStatus
) -> None:
    job = succeeded(job_store)
    assert callbacks.settle(job, attempt(begun(client, job)), status)
    assert due_in_s(client, job) is None
    found = callbacks.get(job)
    assert (found.status, found.due_at_us) == (status, None)
    assert callbacks.begin(job.id, 1, 60.0) is None


def test_an_attempt_that_took_too_long_says_nothing_any_more_unless_it_was_accepted(
    job_store: JobStore, callbacks: CallbackStore, client: redis.Redis
) -> None:
    job = succeeded(job_store)
    slow, next_one = begun(client, job), begun(client, job)
    assert not callbacks.settle(job, attempt(slow), GIVEN_UP)
    assert callbacks.get(job).status is DUE
    assert callbacks.settle(job, attempt(slow, 200), ACCEPTED)
    assert not callbacks.settle(job, attempt(next_one), DUE, pause_s=1)
    found = callbacks.get(job)
    assert (found.status, [one.status_code for one in found.attempts]) == (ACCEPTED, [200, 500])
    assert due_in_s(client, job) is None


def test_another_round_counts_its_tries_anew_and_its_attempts_on(
    job_store: JobStore, callbacks: CallbackStore, client: redis.Redis
) -> None:
    job = succeeded(job_store)
    callbacks.settle(job, attempt(begun(client, job)), GIVEN_UP)
    assert callbacks.redeliver(job)
    assert callbacks.hand_out() == [(job.id, 1)]
    again = begun(client, job)
    assert (again.number, again.tries) == (2, 1)
    assert not callbacks.redeliver(submitted(job_store))


def test_a_round_that_is_asked_for_while_the_last_attempt_is_under_way_is_not_given_up_with_it(
    job_store: JobStore, callbacks: CallbackStore, client: redis.Redis
) -> None:
    job = succeeded(job_store)
    last = begun(client, job)
    callbacks.redeliver(job)
    assert not callbacks.settle(job, attempt(last), GIVEN_UP)
    assert callbacks.hand_out() == [(job.id, 1)]
    assert callbacks.settle(job, attempt(last, 200), ACCEPTED)


def test_the_latest_attempts_are_kept(job_store: JobStore, callbacks: CallbackStore, client: redis.Redis) -> None:
    job = succeeded(job_store)
    for _ in range(25):
        callbacks.settle(job, attempt(begun(client, job)), DUE)
    assert [one.number for one in callbacks.get(job).attempts] == list(range(6, 26))


def test_an_attempt_is_read_back_as_it_was_written() -> None:
    one = Attempt(number=3, started_at_us=1_700_000_000_000_001, took_ms=0.5, trouble=Trouble.TIMED_OUT)
    assert Attempt.from_field(3, one.to_field()) == one


def test_a_callback_whose_job_is_gone_is_forgotten(
    job_store: JobStore, callbacks: CallbackStore, client: redis.Redis
) -> None:
    first, second = succeeded(job_store), succeeded(job_store)
    client.delete(keys.job(first.id))
    assert callbacks.begin(first.id, 0, 60.0) is None
    client.delete(keys.job_callback(second.id))
    assert callbacks.hand_out() == []
    assert client.zcard(keys.CALLBACKS_DUE) == 0


def test_pages_hold_each_callback_of_an_owner_once_the_latest_end_first(
    job_store: JobStore, callbacks: CallbackStore, client: redis.Redis
) -> None:
    jobs = [succeeded(job_store, owner="ann") for _ in range(7)]
    succeeded(job_store, owner="bob")
    for job, status in zip(jobs, [ACCEPTED, GIVEN_UP] * 2, strict=False):
        callbacks.settle(job, attempt(begun(client, job)), status)
    # Jobs that end in one step have one time.
    ends_us = client.zscore(keys.callbacks(DUE, "ann"), jobs[-1].id)
    assert ends_us
    client.zadd(keys.callbacks(DUE, "ann"), {job.id: ends_us for job in jobs[4:]})
    seen, after = [], None
    while page := callbacks.page("ann", RECORDED, after, 2):
        seen += [place.job_id for place in page]
        after = page[-1]
    assert seen == sorted((job.id for job in jobs[4:]), reverse=True) + [job.id for job in reversed(jobs[:4])]
    assert [place.job_id for place in callbacks.page("ann", [GIVEN_UP], None, 10)] == [jobs[3].id, jobs[1].id]
    assert callbacks.page("nobody", RECORDED, None, 10) == []


def test_what_lists_callbacks_goes_when_they_do(client: redis.Redis) -> None:
    short, long = JobStore(client, result_ttl_s=1), JobStore(client, result_ttl_s=100)
    gone = succeeded(short)
    index = keys.callbacks(DUE, "")
    assert client.ttl(index) == 1
    kept = succeeded(long)
    assert client.ttl(index) == 100
    until(lambda: client.exists(keys.job_callback(gone.id)) == 0)
    last = succeeded(long)
    assert set(client.zrange(index, 0, -1)) == {kept.id.encode(), last.id.encode()}
    CallbackStore(client).settle(last, attempt(begun(client, last)), ACCEPTED)
    assert 90 < client.ttl(keys.callbacks(ACCEPTED, "")) <= 100


def test_a_url_is_not_in_what_is_shown_of_a_job_or_a_callback(job_store: JobStore, client: redis.Redis) -> None:
    job = succeeded(job_store)
    assert "secret-path" not in repr(job) + repr(callback(client, job)) + repr(begun(client, job))


def test_a_poisoned_job_that_is_retried_has_its_callback_too(job_store: JobStore) -> None:
    assert submitted(job_store).retry("another").callback_url == URL
