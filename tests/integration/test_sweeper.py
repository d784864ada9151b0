from __future__ import annotations

import json

import pytest
import redis

from tasks import keys, lost_jobs, sweeper
from tasks.job import Job, Lane, new_job_id
from tasks.job_store import JobStore
from tasks.lost_jobs import job_ids
from tasks.model_registry import ModelRegistry
from tasks.sweeper import republish_lost
from tests.stand_in_worker import StandInWorker

QUEUE = "model.digits"
BULK = f"{QUEUE}\x06\x169"


@pytest.fixture(autouse=True)
def every_job_is_settled(monkeypatch: pytest.MonkeyPatch, registry: ModelRegistry) -> None:
    registry.expect(["digits"])
    monkeypatch.setattr(lost_jobs, "SETTLED_S", 0.0)


def submitted(store: JobStore, lane: Lane = Lane.INTERACTIVE) -> Job:
    job = Job(id=new_job_id(), model="digits", version=1, lane=lane)
    store.submit(job, b"payload")
    return job


def lose(client: redis.Redis, job: Job) -> None:
    """Take a job's message away."""
    for name in (QUEUE, BULK):
        for message in client.lrange(name, 0, -1):
            if job.id.encode() in message:
                assert client.lrem(name, 1, message) == 1


def queued(client: redis.Redis, name: str = QUEUE) -> list[str]:
    """The ids of the messages in a list, the one that is claimed next first."""
    return [job_ids([message]).pop() for message in reversed(client.lrange(name, 0, -1))]


def test_a_job_whose_message_is_gone_is_queued_again_in_its_lane(client: redis.Redis, job_store: JobStore) -> None:
    job = submitted(job_store, Lane.BULK)
    (message,) = client.lrange(BULK, 0, -1)
    client.delete(BULK)
    assert republish_lost(client, job_store) == 1
    (again,) = client.lrange(BULK, 0, -1)
    assert json.loads(again)["headers"] == json.loads(message)["headers"]
    assert client.get(keys.job_input(job.id)) == b"payload"
    # Now that it has a message, it is not lost.
    assert republish_lost(client, job_store) == 0


def test_a_job_that_a_worker_lost_while_it_ran_is_queued_again(client: redis.Redis, job_store: JobStore) -> None:
    job = submitted(job_store)
    client.delete(QUEUE)
    StandInWorker(job_store).start(job.id)
    assert republish_lost(client, job_store) == 1


def test_nothing_is_lost_while_its_message_waits_or_a_worker_holds_it(client: redis.Redis, job_store: JobStore) -> None:
    job, other = submitted(job_store), new_job_id()
    assert republish_lost(client, job_store) == 0
    message = client.rpop(QUEUE)
    client.hset("unacked", "tag", json.dumps([json.loads(message), "", QUEUE]))
    assert republish_lost(client, job_store) == 0
    client.hset("unacked", "tag", message.decode().replace(job.id, other))
    # And one on its way to a worker that waits for it is not lost either
    holding = keys.held("abc123", QUEUE)
    client.zadd(keys.HOLDERS, {holding: 1})
    client.lpush(holding, message)
    assert republish_lost(client, job_store) == 0
    client.delete(holding)
    assert republish_lost(client, job_store) == 1


def test_young_jobs_and_finished_ones_are_left_alone(
    client: redis.Redis, job_store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = submitted(job_store)
    job_store.cancel(cancelled.id)
    client.delete(QUEUE)
    assert republish_lost(client, job_store) == 0
    submitted(job_store)
    client.delete(QUEUE)
    monkeypatch.setattr(lost_jobs, "SETTLED_S", 60.0)
    assert republish_lost(client, job_store) == 0


def test_a_lost_job_of_a_busy_model_is_found_when_younger_ones_are_next_and_runs_before_them(
    client: redis.Redis, job_store: JobStore
) -> None:
    # Given a busy model, two of whose jobs have lost their messages
    jobs = [submitted(job_store) for _ in range(40)]
    for number in (10, 11):
        lose(client, jobs[number])
    # When what was before them has not been taken yet, then nobody can tell
    assert republish_lost(client, job_store) == 0
    # When it has, then they are queued again, in their order and before what came after them
    client.rpop(QUEUE, 10)
    client.delete(keys.unfinished("digits"))
    client.zadd(keys.unfinished("digits"), {job.id: job_store.get(job.id).created_at_us or 0 for job in jobs[10:]})
    assert republish_lost(client, job_store) == 2
    assert queued(client) == [job.id for job in jobs[10:]]
    assert republish_lost(client, job_store) == 0
    # And once more when a worker has taken them, and lost them while it ran them
    worker = StandInWorker(job_store)
    client.rpop(QUEUE, 2)
    for number in (10, 11):
        worker.start(jobs[number].id)
    assert republish_lost(client, job_store) == 2


def test_a_busy_lane_hides_no_lost_job_of_the_other(client: redis.Redis, job_store: JobStore) -> None:
    # Given a bulk lane whose jobs all came before and wait, and an interactive one
    bulk = [submitted(job_store, Lane.BULK) for _ in range(20)]
    first, lost, third = (submitted(job_store) for _ in range(3))
    lose(client, lost)
    # When the interactive one has come past the lost job, then that is found
    lose(client, first)
    job_store.cancel(first.id)
    assert republish_lost(client, job_store) == 1
    assert queued(client) == [lost.id, third.id]
    # And the other way round
    lose(client, bulk[0])
    assert republish_lost(client, job_store) == 1
    assert queued(client, BULK) == [job.id for job in bulk]


def test_a_job_whose_message_waits_in_the_other_lane_is_not_lost(client: redis.Redis, job_store: JobStore) -> None:
    # As when a stock producer has sent it
    submitted(job_store, Lane.BULK)
    client.lmove(BULK, QUEUE, "RIGHT", "LEFT")
    assert republish_lost(client, job_store) == 0


def test_sweeps_go_on_from_where_the_last_one_ended(
    client: redis.Redis, job_store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given more jobs in the bulk lane than one sweep looks at, before a lost one of the other lane and after it
    monkeypatch.setattr(sweeper, "PAGE", 8)
    before = [submitted(job_store, Lane.BULK) for _ in range(20)]
    lost = submitted(job_store)
    after = [submitted(job_store, Lane.BULK) for _ in range(20)]
    client.delete(QUEUE)
    # Then it is found by the third
    assert [republish_lost(client, job_store) for _ in range(3)] == [0, 0, 1]
    # And the first jobs are looked at again when all were
    lose(client, before[0])
    found = [republish_lost(client, job_store) for _ in range(6)]
    assert sum(found) == 1
    assert queued(client, BULK) == [job.id for job in (*before, *after)]
    assert queued(client) == [lost.id]


def test_a_long_list_is_not_read_as_a_whole(client: redis.Redis, job_store: JobStore) -> None:
    jobs = [Job(id=new_job_id(), model="digits", version=1) for _ in range(5000)]
    job_store.submit_many((job, b"payload") for job in jobs)
    sent_before = int(client.info("stats")["total_net_output_bytes"])
    assert republish_lost(client, job_store) == 0
    # Then there was a look at the records of one page, of some 300 bytes each, and not at messages of 900
    assert int(client.info("stats")["total_net_output_bytes"]) - sent_before < 500_000


def test_when_all_messages_are_gone_all_are_queued_again_at_once_in_their_order(
    client: redis.Redis, job_store: JobStore
) -> None:
    jobs = [Job(id=new_job_id(), model="digits", version=1) for _ in range(2500)]
    job_store.submit_many((job, b"payload") for job in jobs)
    client.delete(QUEUE)
    assert republish_lost(client, job_store) == 2500
    # Those of one step of submission came at one time
    came_us = [job.created_at_us for job in job_store.find_many(queued(client)) if job]
    assert len(came_us) == 2500 and came_us == sorted(came_us, key=lambda us: us or 0)
