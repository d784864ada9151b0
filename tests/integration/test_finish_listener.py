from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from tasks import keys
from tasks.broker import connect
from tasks.errors import BrokerUnavailable, JobFinished, JobNotFound
from tasks.finish_listener import FinishListener, Watch, client_name
from tasks.job import Job, Status, new_job_id
from tasks.job_end import End, JobEnds
from tasks.job_store import JobStore
from tests.http_api import play_worker, until
from tests.valkey import Valkey

#: Well below `LOOK_AGAIN_S`, after which a waiter would look at the record in any case.
SOON_S = 4.0


@pytest.fixture
def listener(client: redis.Redis) -> Iterator[FinishListener]:
    listener = FinishListener(client, lambda job_ids: [({}, {}) for _ in job_ids])
    yield listener
    listener.close()


def submitted(store: JobStore) -> str:
    job = Job(id=new_job_id(), model="digits", version=1)
    store.submit(job, b"")
    return job.id


def finish(store: JobStore, job_id: str) -> None:
    play_worker(store, job_id)


def subscriptions(client: redis.Redis) -> list[dict[str, str]]:
    """The connections of this process's listeners that listen; those of earlier tests linger."""
    return [one for one in client.client_list() if one["name"] == client_name() and one["sub"] == "1"]


def listeners(client: redis.Redis) -> int:
    """How many connections of all processes hear of ends."""
    [(_, number)] = client.pubsub_numsub(keys.ENDED)
    return int(number)


def is_told(watch: Watch, within_s: float = SOON_S) -> bool:
    """Whether a look is due before the time is over."""
    began_s = time.monotonic()
    next(watch.looks(within_s))
    return time.monotonic() - began_s < within_s * 0.9


def listening(watch: Watch) -> None:
    """Take the look that the confirmed subscription is worth."""
    assert is_told(watch, 4.0)


def in_threads(count: int, function: Callable[[int], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=function, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_a_watch_is_told_of_its_own_jobs_end_and_of_no_other(listener: FinishListener, job_store: JobStore) -> None:
    watched, other = submitted(job_store), submitted(job_store)
    with listener.watch(watched) as watch:
        listening(watch)
        finish(job_store, other)
        assert not is_told(watch, 0.3)
        finish(job_store, watched)
        assert is_told(watch)


def test_what_ended_together_is_read_for_all_who_wait_and_each_gets_his_own(
    client: redis.Redis, job_store: JobStore
) -> None:
    # Given a listener at work, 40 who wait, and 40 jobs that nobody here waits for
    with job_store.watch(new_job_id()) as watch:
        listening(watch)
    ids = [submitted(job_store) for _ in range(80)]
    watching: list[Watch] = []
    got: dict[str, dict[str, bytes]] = {}
    was_found: list[bool] = []

    def wait(index: int) -> None:
        with job_store.watch(ids[index]) as watch:
            watching.append(watch)
            for _ in watch.looks(30):
                job, parts = job_store.get_with_result(ids[index], watch)
                if job.is_finished:
                    got[ids[index]] = parts
                    was_found.append(watch.found is not None)
                    return

    threads = in_threads(40, wait)
    until(lambda: len(watching) == 40)
    # When all end in one step
    results = {job_id: {"y": str(number).encode()} for number, job_id in enumerate(ids)}
    ends = [End(job_id=job_id, status=Status.SUCCEEDED, result=result) for job_id, result in results.items()]
    JobEnds(client, 3600).end("digits", ends)
    for thread in threads:
        thread.join()
    # Then each has his own answer without having asked for it
    assert got == {job_id: results[job_id] for job_id in ids[:40]}
    assert was_found == [True] * 40


def test_an_end_before_the_subscription_is_confirmed_is_not_missed(listener: FinishListener) -> None:
    # Given a watch that the thread has not subscribed for yet, of a job that ends now: nobody hears the message
    with listener.watch(new_job_id()) as watch:
        # Then the confirmation makes the waiter look
        assert is_told(watch, 4.0)


def test_an_end_between_submission_and_wait_is_not_missed(job_store: JobStore) -> None:
    job_id = submitted(job_store)
    with job_store.watch(job_id) as watch:
        listening(watch)
        finish(job_store, job_id)
        began_s = time.monotonic()
        next(watch.looks(30))
    assert time.monotonic() - began_s < SOON_S


def test_jobs_that_end_at_any_moment_of_a_wait_are_all_seen(job_store: JobStore) -> None:
    # Given many who submit and wait, each with a job that somebody ends at once
    ended: list[Job] = []
    slowest_s = [0.0]

    def submit_and_wait(index: int) -> None:
        for _ in range(20):
            job_id = submitted(job_store)
            finisher = threading.Timer(0.0005 * (index % 5), finish, (job_store, job_id))
            finisher.start()
            began_s = time.monotonic()
            ended.append(job_store.wait(job_id, 30))
            slowest_s.append(time.monotonic() - began_s)
            finisher.join()

    for thread in in_threads(10, submit_and_wait):
        thread.join()
    # Then nobody waited for a look of last resort
    assert [job.status for job in ended] == [Status.SUCCEEDED] * 200
    assert max(slowest_s) < SOON_S


def test_many_who_wait_share_one_connection(client: redis.Redis, job_store: JobStore) -> None:
    before = {one["id"] for one in subscriptions(client)}
    ids = [submitted(job_store) for _ in range(100)]
    ended: list[Job] = []
    threads = in_threads(100, lambda index: ended.append(job_store.wait(ids[index], 60)))
    until(lambda: {one["id"] for one in subscriptions(client)} - before)
    for job_id in ids[:50]:
        finish(job_store, job_id)
    until(lambda: len(ended) == 50)
    assert len({one["id"] for one in subscriptions(client)} - before) == 1
    for job_id in ids[50:]:
        finish(job_store, job_id)
    for thread in threads:
        thread.join()
    assert [job.status for job in ended] == [Status.SUCCEEDED] * 100


def test_a_killed_connection_is_made_anew_and_nothing_is_missed(client: redis.Redis, listener: FinishListener) -> None:
    job_id = new_job_id()
    with listener.watch(job_id) as watch:
        listening(watch)
        before = {one["id"] for one in subscriptions(client)}
        for one in before:
            client.client_kill_filter(_id=one)
        # The loss makes the waiter look, and so does the new subscription: the job may have ended in between.
        assert is_told(watch)
        until(lambda: {one["id"] for one in subscriptions(client)} - before)
        assert is_told(watch)
        # And from then on it hears again
        client.publish(keys.ENDED, f"{job_id} succeeded")
        assert is_told(watch)


def test_a_broker_that_restarts_lets_the_waiters_know_and_is_heard_again(own_valkey: Valkey) -> None:
    # Given somebody who waits when the broker goes away
    client = connect(own_valkey.url)
    store = JobStore(client, 3600)
    job_id = submitted(store)
    raised: list[BrokerUnavailable] = []

    def wait(_: int) -> None:
        try:
            store.wait(job_id, 60)
        except BrokerUnavailable as error:
            raised.append(error)

    (thread,) = in_threads(1, wait)
    until(lambda: subscriptions(client))
    began_s = time.monotonic()
    own_valkey.stop()
    thread.join()
    # Then he is told so, soon
    assert raised
    assert time.monotonic() - began_s < 4
    # And when it is back, the next one hears of the end
    own_valkey.start()
    ended: list[Job] = []
    (thread,) = in_threads(1, lambda _: ended.append(store.wait(job_id, 60)))
    until(lambda: subscriptions(client))
    finish(store, job_id)
    thread.join()
    assert ended[0].status is Status.SUCCEEDED
    store.stop_waiting()
    client.close()


def test_closing_lets_everybody_go_at_once_and_whoever_comes_later(job_store: JobStore, client: redis.Redis) -> None:
    job_id = submitted(job_store)
    left: list[Job] = []
    threads = in_threads(5, lambda _: left.append(job_store.wait(job_id, 60)))
    until(lambda: subscriptions(client))
    began_s = time.monotonic()
    job_store.stop_waiting()
    for thread in threads:
        thread.join()
    assert job_store.wait(job_id, 60).status is Status.QUEUED
    assert time.monotonic() - began_s < SOON_S
    assert [job.status for job in left] == [Status.QUEUED] * 5


def test_while_nobody_waits_nothing_is_listened_to(own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.finish_listener.LINGER_S", 0.1)
    client = connect(own_valkey.url)
    store = JobStore(client, 3600)
    first, second = submitted(store), submitted(store)
    assert listeners(client) == 0
    with store.watch(first):
        until(lambda: listeners(client) == 1)
    # Any message, or some seconds, and the thread sees that it may end
    finish(store, first)
    until(lambda: listeners(client) == 0)
    # And begins anew for the next one
    (thread,) = in_threads(1, lambda _: store.wait(second, 60))
    until(lambda: listeners(client) == 1)
    finish(store, second)
    thread.join()
    client.close()


def test_waiting_for_a_job_that_is_removed_meanwhile_says_that_there_is_none(
    job_store: JobStore, client: redis.Redis
) -> None:
    job_id = submitted(job_store)
    with job_store.watch(job_id) as watch:
        listening(watch)
        client.delete(keys.job(job_id))
        client.publish(keys.ENDED, f"{job_id} succeeded")
        next(watch.looks(30))
    with pytest.raises(JobNotFound):
        job_store.wait(job_id, 30)


def test_record_and_result_come_together(job_store: JobStore) -> None:
    job_id = submitted(job_store)
    job, parts = job_store.get_with_result(job_id)
    assert (job.status, parts) == (Status.QUEUED, {})
    finish(job_store, job_id)
    job, parts = job_store.get_with_result(job_id)
    assert job.status is Status.SUCCEEDED
    assert parts == job_store.result(job_id) != {}
    with pytest.raises(JobFinished):
        job_store.cancel(job_id)
    job_store.delete_result(job_id)
    assert job_store.get_with_result(job_id)[1] == {}
    with pytest.raises(JobNotFound):
        job_store.get_with_result(new_job_id())
