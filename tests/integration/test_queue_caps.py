"""What the store takes, and what it refuses when a model's queue or the server's memory is full."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import redis

from tasks import keys
from tasks.broker_memory import LOOK_EVERY_S
from tasks.caps import Caps, caps_of
from tasks.errors import IdempotencyKeyReused, MemoryFull, QueueFull
from tasks.job import Failure, FailureType, Job, new_job_id
from tasks.job_end import DONE
from tasks.job_store import JobStore
from tasks.settings import read_settings
from tasks.submission import CHUNK_JOBS
from tests.http_api import until
from tests.stand_in_worker import StandInWorker


def make_job(model: str = "digits", **over: str | float) -> Job:
    return replace(Job(id=new_job_id(), model=model, version=1), **over)  # type: ignore[arg-type]


def queued(client: redis.Redis, model: str = "digits") -> int:
    return client.zcard(keys.unfinished(model))


def held_bytes(client: redis.Redis, model: str = "digits") -> int:
    """What the counter says; it is checked against the inputs themselves."""
    counted = int(client.get(keys.input_bytes(model)) or 0)
    ids = [raw.decode() for raw in client.zrange(keys.unfinished(model), 0, -1)]
    assert counted == sum(client.strlen(keys.job_input(job_id)) for job_id in ids)
    return counted


@pytest.fixture
def capped(client: redis.Redis) -> Callable[..., JobStore]:
    return lambda **caps: JobStore(client, 3600, Caps(**caps))


@pytest.fixture
def tight_memory(client: redis.Redis) -> Iterator[None]:
    """The server has a limit of which more than 80 % is in use, though not all."""
    client.config_set("maxmemory", int(client.info("memory")["used_memory"] / 0.9))
    yield
    client.config_set("maxmemory", 0)


def test_a_full_queue_takes_no_job_until_one_begins_and_says_how_full_it_is(
    client: redis.Redis, capped: Callable[..., JobStore]
) -> None:
    store = capped(queued_jobs=3)
    jobs = [make_job() for _ in range(3)]
    for job in jobs:
        store.submit(job, b"12345")
    late = make_job()
    with pytest.raises(QueueFull, match=r"may have 3 queued jobs and .* it has 3 and 15") as refusal:
        store.submit(late, b"12345")
    assert refusal.value.queued == 3
    assert not client.exists(keys.job(late.id), keys.job_input(late.id))
    assert (queued(client), client.llen("model.digits")) == (3, 3)
    # A job that runs waits no more
    StandInWorker(store).start(jobs[0].id)
    store.submit(late, b"12345")
    with pytest.raises(QueueFull):
        store.submit(make_job(), b"12345")


def test_each_model_has_a_queue_of_its_own(capped: Callable[..., JobStore]) -> None:
    store = capped(queued_jobs=1)
    store.submit(make_job(), b"")
    store.submit(make_job("hands"), b"")
    with pytest.raises(QueueFull, match="hands"):
        store.submit(make_job("hands"), b"")


def test_inputs_are_bounded_in_bytes_and_a_smaller_one_may_still_fit(
    client: redis.Redis, capped: Callable[..., JobStore]
) -> None:
    store = capped(queued_bytes=100)
    store.submit(make_job(), b"x" * 60)
    with pytest.raises(QueueFull, match="100 bytes of input; it has 1 and 60"):
        store.submit(make_job(), b"x" * 41)
    store.submit(make_job(), b"x" * 40)
    assert held_bytes(client) == 100


def test_an_input_that_is_larger_than_a_queue_may_hold_is_taken_alone(capped: Callable[..., JobStore]) -> None:
    store = capped(queued_bytes=100)
    huge = make_job()
    store.submit(huge, b"x" * 2_000_000)
    with pytest.raises(QueueFull):
        store.submit(make_job(), b"x")
    store.cancel(huge.id)
    store.submit(make_job(), b"x")


def test_bytes_are_counted_exactly_however_jobs_end(client: redis.Redis, job_store: JobStore) -> None:
    jobs = [make_job() for _ in range(6)] + [make_job(expires_in_s=0.000001)]
    for number, job in enumerate(jobs):
        job_store.submit(job, b"x" * (1 + number))
        job_store.submit(job, b"x" * 1000)  # an id that came before counts once
    assert held_bytes(client) == sum(range(1, 8))
    worker = StandInWorker(job_store)
    started = worker.start(jobs[0].id)
    assert held_bytes(client) == sum(range(1, 8))
    assert worker.succeed(started, {"outputs": b"y" * 50}) == DONE
    assert worker.succeed(started, {"outputs": b"y" * 50}) == "succeeded"
    worker.fail(worker.start(jobs[1].id), Failure(FailureType.MODEL_ERROR, "It broke."))
    job_store.cancel(jobs[2].id)
    worker.start(jobs[3].id)
    job_store.cancel(jobs[3].id)
    assert job_store.expire_overdue() == 1
    assert held_bytes(client) == 5 + 6
    for job in jobs[4:6]:
        job_store.cancel(job.id)
    assert held_bytes(client) == 0


def test_bytes_are_counted_exactly_when_many_threads_submit_and_cancel(
    client: redis.Redis, capped: Callable[..., JobStore]
) -> None:
    store = capped(queued_jobs=50, queued_bytes=20_000)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(60):
            job = make_job()
            try:
                store.submit(job, b"x" * chance.randrange(2000))
            except QueueFull:
                continue
            if chance.random() < 0.7:
                store.cancel(job.id)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < held_bytes(client) <= 20_000
    assert 0 < queued(client) <= 50


def test_of_many_jobs_those_before_the_full_chunk_are_stored_and_all_can_be_submitted_again(
    client: redis.Redis, capped: Callable[..., JobStore]
) -> None:
    store, jobs = capped(queued_jobs=CHUNK_JOBS + 5), [(make_job(), b"12345678") for _ in range(5 * CHUNK_JOBS)]
    taken = iter(jobs)
    with pytest.raises(QueueFull):
        store.submit_many(taken)
    # Then the first ones are stored, and nothing was made of those after the next chunk
    first = [job.id.encode() for job, _ in jobs[: CHUNK_JOBS + 5]]
    assert sorted(client.zrange(keys.unfinished("digits"), 0, -1)) == sorted(first)
    assert len(list(taken)) > CHUNK_JOBS
    # And with room for them, submitting all again stores the rest
    capped(queued_jobs=len(jobs)).submit_many(jobs)
    assert (queued(client), held_bytes(client)) == (len(jobs), 8 * len(jobs))


def test_a_full_queue_still_knows_its_jobs_by_their_idempotency(capped: Callable[..., JobStore]) -> None:
    store, job = capped(queued_jobs=1), make_job(idempotency="i", request="r")
    store.submit(job, b"")
    assert store.submit(replace(job, id=new_job_id()), b"").job_id == job.id
    assert store.submit(job, b"").job_id == job.id
    with pytest.raises(IdempotencyKeyReused):
        store.submit(replace(job, id=new_job_id(), request="s"), b"")


def test_a_server_whose_memory_is_nearly_full_takes_no_jobs_but_runs_and_ends_those_it_has(
    client: redis.Redis, capped: Callable[..., JobStore], request: pytest.FixtureRequest
) -> None:
    store, jobs = capped(memory_percent=80), [make_job(idempotency="i", request="r"), make_job()]
    for job in jobs:
        store.submit(job, b"payload")
    request.getfixturevalue("tight_memory")

    def refusal() -> str:
        try:
            store.submit(make_job(), b"payload")
        except MemoryFull as error:
            return str(error)
        return ""

    # Then it is seen within a moment, and said
    assert "More than 80 %" in until(refusal, LOOK_EVERY_S + 5)
    with pytest.raises(MemoryFull):
        store.submit_many([(make_job(), b"payload")])
    # And jobs that are stored are found, run and end
    assert store.submit(replace(jobs[0], id=new_job_id()), b"payload").job_id == jobs[0].id
    worker = StandInWorker(store)
    assert worker.succeed(worker.start(jobs[0].id), {"outputs": b"y" * 100}) == DONE
    # And with memory again jobs are taken again
    client.config_set("maxmemory", 0)
    until(lambda: not refusal(), LOOK_EVERY_S + 5)


def test_memory_is_looked_at_once_a_second_and_only_when_it_is_to_be(
    client: redis.Redis, capped: Callable[..., JobStore]
) -> None:
    def looks(store: JobStore) -> int:
        client.config_resetstat()
        for _ in range(50):
            store.submit(make_job(), b"")
        return int(client.info("commandstats").get("cmdstat_info", {}).get("calls", 0))

    assert looks(capped()) == 0
    assert 1 <= looks(capped(memory_percent=80)) <= 3


def test_an_operators_settings_are_the_caps() -> None:
    assert caps_of(read_settings({})) == Caps(queued_jobs=100_000, queued_bytes=2_147_483_648, memory_percent=80)
    given = {"CELERIAC_MAX_QUEUED_JOBS": "7", "CELERIAC_MAX_MEMORY_PERCENT": "50"}
    assert caps_of(read_settings(given)) == Caps(queued_jobs=7, queued_bytes=2_147_483_648, memory_percent=50)
