from __future__ import annotations

import json

import pytest
import redis

from tasks import keys, sweeper
from tasks.job import Job, Lane, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.sweeper import republish_lost
from tests.stand_in_worker import StandInWorker

QUEUE = "model.digits"


@pytest.fixture(autouse=True)
def every_job_is_settled(monkeypatch: pytest.MonkeyPatch, registry: ModelRegistry) -> None:
    registry.expect(["digits"])
    monkeypatch.setattr(sweeper, "SETTLED_S", -1.0)


def submitted(store: JobStore, lane: Lane = Lane.INTERACTIVE) -> Job:
    job = Job(id=new_job_id(), model="digits", version=1, lane=lane)
    store.submit(job, b"payload")
    return job


def test_a_job_whose_message_is_gone_is_queued_again_in_its_lane(client: redis.Redis, job_store: JobStore) -> None:
    job = submitted(job_store, Lane.BULK)
    bulk = f"{QUEUE}\x06\x169"
    (message,) = client.lrange(bulk, 0, -1)
    client.delete(bulk)
    assert republish_lost(client, job_store) == 1
    (again,) = client.lrange(bulk, 0, -1)
    assert json.loads(again)["headers"] == json.loads(message)["headers"]
    assert client.get(keys.job_input(job.id)) == b"payload"
    # Now that it has a message, it is not lost.
    assert republish_lost(client, job_store) == 0


def test_a_job_that_a_worker_lost_while_it_ran_is_queued_again(client: redis.Redis, job_store: JobStore) -> None:
    job = submitted(job_store)
    client.delete(QUEUE)
    StandInWorker(job_store).start(job.id)
    assert republish_lost(client, job_store) == 1


def test_nothing_is_lost_while_a_message_waits_or_a_worker_holds_one(client: redis.Redis, job_store: JobStore) -> None:
    submitted(job_store)
    assert republish_lost(client, job_store) == 0
    message = client.rpop(QUEUE)
    client.hset("unacked", "tag", json.dumps([json.loads(message), "", QUEUE]))
    assert republish_lost(client, job_store) == 0
    client.hset("unacked", "tag", json.dumps([json.loads(message), "", "model.other"]))
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
    monkeypatch.setattr(sweeper, "SETTLED_S", 60.0)
    assert republish_lost(client, job_store) == 0
