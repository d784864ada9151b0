from __future__ import annotations

import pytest
import redis

from tasks import keys
from tasks.broker import server_time_us
from tasks.errors import ModelUnknown
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import LIVE_S, LiveWorker, ModelRegistry, ModelStatus
from tests.stand_in_worker import StandInWorker

CARD = {"name": "digits", "version": 3, "signature": {"inputs": {}, "outputs": {}}}
WORKER = LiveWorker("digits@host", 42, 3, "CPU")


def test_an_unknown_model_is_refused_naming_the_known_ones(registry: ModelRegistry) -> None:
    registry.expect(["digits", "hands"])
    with pytest.raises(ModelUnknown, match="digits, hands"):
        registry.get("feet")


@pytest.mark.parametrize("name", ["digits:workers", "digits:unfinished", "", "Digits", "a/b", "x" * 200])
def test_what_is_no_models_name_is_unknown_and_never_part_of_a_key(registry: ModelRegistry, name: str) -> None:
    registry.publish_ready(CARD, WORKER)
    with pytest.raises(ModelUnknown, match="Known models: digits"):
        registry.get(name)


def test_a_model_goes_from_loading_to_ready_to_offline(registry: ModelRegistry) -> None:
    registry.expect(["digits"])
    assert registry.get("digits").status is ModelStatus.LOADING
    registry.publish_ready(CARD, WORKER)
    ready = registry.get("digits")
    assert (ready.status, ready.workers, ready.card) == (ModelStatus.READY, (WORKER,), CARD)
    registry.retire("digits", WORKER)
    registry.expect([])
    offline = registry.get("digits")
    assert (offline.status, offline.card) == (ModelStatus.OFFLINE, CARD)


def test_a_worker_that_is_not_heard_of_counts_as_gone(client: redis.Redis, registry: ModelRegistry) -> None:
    registry.publish_ready(CARD, WORKER)
    (member,) = client.zrange(keys.model_workers("digits"), 0, -1)
    client.zadd(keys.model_workers("digits"), {member: server_time_us(client) - LIVE_S * 1e6 - 1})
    assert registry.get("digits").workers == ()
    # The next heartbeat of any worker forgets it.
    other = LiveWorker("digits@other", 43, 3, "CPU")
    registry.publish_ready(CARD, other)
    assert client.zcard(keys.model_workers("digits")) == 1


def test_a_failure_is_shown_until_a_worker_is_ready(registry: ModelRegistry) -> None:
    registry.publish_failure("digits", "model.h5 is empty.")
    assert (registry.get("digits").status, registry.get("digits").gave_up) == (ModelStatus.FAILED, False)
    registry.give_up("digits", "model.h5 is empty.")
    assert (registry.get("digits").failure, registry.get("digits").gave_up) == ("model.h5 is empty.", True)
    registry.publish_ready(CARD, WORKER)
    assert (registry.get("digits").failure, registry.get("digits").gave_up) == (None, False)


def test_the_load_is_counted_from_submission_to_end(job_store: JobStore, registry: ModelRegistry) -> None:
    ids = [new_job_id() for _ in range(3)]
    for job_id in ids:
        job_store.submit(Job(id=job_id, model="digits", version=1), b"")
    worker = StandInWorker(job_store)
    started = worker.start(ids[0])
    state = registry.queue_state("digits")
    assert (state.queued, state.running) == (2, 1)
    assert state.oldest_age_s is not None and 0 <= state.oldest_age_s < 60
    worker.succeed(started, {"outputs": b""})
    job_store.cancel(ids[1])
    state = registry.queue_state("digits")
    assert (state.queued, state.running, dict(state.finished)) == (1, 0, {"succeeded": 1, "cancelled": 1})


def test_the_keepers_sweep_expires_only_queued_jobs_that_are_overdue(job_store: JobStore, client: redis.Redis) -> None:
    overdue, running, young = (Job(id=new_job_id(), model="digits", version=1, expires_in_s=s) for s in (1e-6, 60, 60))
    for job in (overdue, running, young):
        job_store.submit(job, b"")
    worker = StandInWorker(job_store)
    started = worker.start(running.id)
    assert client.zscore(keys.DEADLINES, running.id) is None
    assert job_store.expire_overdue() == 1
    assert job_store.get(overdue.id).status == "expired"
    assert job_store.get(young.id).status == "queued"
    worker.succeed(started, {"outputs": b""})
    assert job_store.expire_overdue() == 0
    assert client.zrange(keys.DEADLINES, 0, -1) == [young.id.encode()]
