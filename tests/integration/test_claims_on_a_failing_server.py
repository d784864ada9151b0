"""The scripts of `tasks.transport.scripts` on a server that has forgotten them, and on one that is full."""

from __future__ import annotations

import pytest
import redis

from tasks import keys
from tasks.deliveries import Deliveries, Delivery
from tasks.job import Job, Status, new_job_id
from tasks.job_end import End, JobEnds
from tasks.job_store import JobStore
from tests.claiming import QUEUE, Worker, full, push, queued, tags_of


@pytest.fixture
def worker(client: redis.Redis) -> Worker:
    return Worker(client)


def test_a_server_that_forgot_the_scripts_is_told_them_again(client: redis.Redis, worker: Worker) -> None:
    push(client, "a", "b", "c")
    client.script_flush()
    worker.claim()
    client.script_flush()
    worker.scripts.renew(worker.tokens, [])
    client.script_flush()
    worker.scripts.acknowledge({"a": worker.tokens["a"]})
    client.script_flush()
    assert worker.scripts.give_back({"b": worker.tokens["b"]}) == 1
    client.script_flush()
    worker.dies(client)
    assert worker.scripts.recover() == 1
    assert sorted(queued(client)) == ["b", "c"]


def test_a_full_server_lets_jobs_be_claimed_renewed_and_ended(client: redis.Redis, worker: Worker) -> None:
    push(client, "a", "b", "c")
    with full(client):
        assert tags_of(worker.claim()) == ["a", "b", "c"]
        assert worker.scripts.renew(worker.tokens, worker.holdings()) == []
        worker.scripts.acknowledge({"a": worker.tokens["a"]})
        assert worker.scripts.give_back({"b": worker.tokens["b"]}) == 1
        assert worker.scripts.give_back({"c": worker.tokens["c"]}, run_next=False) == 1
    assert queued(client) == ["b", "c"]


def test_a_full_server_lets_jobs_be_looked_at_begun_and_ended(
    client: redis.Redis, worker: Worker, job_store: JobStore
) -> None:
    jobs = [Job(id=new_job_id(), model="digits", version=1) for _ in range(2)]
    for job in jobs:
        job_store.submit(job, b"input")
    deliveries = Deliveries(client, "digits", "w")
    with full(client):
        given = [
            Delivery(one.tag, worker.tokens[one.tag], job.id) for one, job in zip(worker.claim(), jobs, strict=True)
        ]
        looks = deliveries.take(given, 1000)
        assert [look.word for look in looks] == ["taken"] * 2
        assert deliveries.begin(given, "run") == [1, 1]
        ends = [End(job_id=job.id, status=Status.SUCCEEDED, result={"output:0:y": b"x" * 10_000}) for job in jobs]
        assert JobEnds(client, 60).end("digits", ends) == ["done"] * 2
    assert [job_store.get(job.id).status for job in jobs] == [Status.SUCCEEDED] * 2
    assert job_store.result(jobs[0].id)["output:0:y"] == b"x" * 10_000


def test_a_full_server_lets_a_worker_look_for_jobs_renew_nothing_and_find_nothing(
    client: redis.Redis, worker: Worker
) -> None:
    with full(client):
        assert worker.claim() == []
        assert worker.scripts.renew({}, worker.holdings()) == []
        assert worker.scripts.recover() == 0
        assert worker.scripts.give_back({}, worker.lists) == 0


def test_a_full_server_lets_a_leaving_worker_give_back_what_was_on_its_way(client: redis.Redis, worker: Worker) -> None:
    worker.claim()
    push(client, "a")
    client.lmove(QUEUE, worker.lists[0].holding, "RIGHT", "LEFT")
    with full(client):
        assert worker.scripts.give_back({}, worker.lists) == 1
    assert queued(client) == ["a"]


def test_a_full_server_lets_a_paused_queue_have_back_what_was_on_its_way(client: redis.Redis, worker: Worker) -> None:
    worker.claim()
    push(client, "a")
    client.lmove(QUEUE, worker.lists[0].holding, "RIGHT", "LEFT")
    client.sadd(keys.PAUSED, QUEUE)
    with full(client):
        assert worker.claim() == []
    assert queued(client) == ["a"]


@pytest.mark.parametrize("place", ["claimed", "on its way"])
def test_a_full_server_lets_the_jobs_of_a_dead_worker_be_recovered(
    client: redis.Redis, worker: Worker, place: str
) -> None:
    worker.claim()
    push(client, "a")
    if place == "claimed":
        worker.claim()
    else:
        client.lmove(QUEUE, worker.lists[0].holding, "RIGHT", "LEFT")
    worker.dies(client)
    with full(client):
        assert worker.scripts.recover() == 1
    assert queued(client) == ["a"]
