from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis

from tasks.broker import connect
from tasks.job import Job, Lane, Status
from tasks.job_store import JobStore
from tasks.queues import queue_list
from tests.live_worker import (
    LiveWorker,
    answer,
    ended,
    has_claim,
    is_clean,
    leftovers,
    listening,
    make_job,
    records,
    statuses,
    stock_app,
    submit,
)
from tests.system import eventually
from tests.valkey import Valkey
from tests.worker_models import MAX_ROWS, add_willing, willing_inputs

#: Each test stops workers of a model of its own.
MODELS = ("warm", "second-term", "second-int", "quit")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def workers(server: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LiveWorker]]:
    """A worker for each model, started together, since TensorFlow takes its time."""
    folder = tmp_path_factory.mktemp("models")
    for model in MODELS:
        add_willing(folder / "store", model)
    workers = {model: LiveWorker(folder / "store", server.url, model, folder / model, model) for model in MODELS}
    spare = LiveWorker(folder / "store", server.url, "quit", folder / "spare", "spare", CELERIAC_LEASE_S="5")
    workers["spare"] = spare
    try:
        for worker in workers.values():
            worker.start()
        for worker in workers.values():
            worker.await_ready()
        yield workers
    finally:
        for worker in workers.values():
            worker.kill()


@pytest.fixture
def redis_client(server: Valkey) -> Iterator[redis.Redis]:
    client = connect(server.url)
    yield client
    client.close()


@pytest.fixture
def store(redis_client: redis.Redis) -> JobStore:
    return JobStore(redis_client, 3600)


def willing(model: str, number: float, lane: Lane = Lane.INTERACTIVE, **values: Any) -> tuple[Job, bytes]:
    return make_job(model, willing_inputs(number, **values), lane=lane)


def occupy(store: JobStore, model: str, wait_ms: int) -> str:
    """Have the model compute for so long; gives the id of the job that it computes."""
    [job_id] = submit(store, [willing(model, 0, wait_ms=wait_ms)])
    eventually(lambda: store.get(job_id).status is Status.RUNNING, 20)
    return job_id


def queued_ids(client: redis.Redis, model: str, priority: int = 0) -> list[str]:
    """Ids of the messages in a list, the one that is claimed next first."""
    messages = client.lrange(queue_list(f"model.{model}", priority), 0, -1)
    found = [re.search(rb'"correlation_id": "([^"]+)"', message) for message in reversed(messages)]
    return [match[1].decode() for match in found if match]


def test_a_worker_told_to_stop_finishes_its_batch_and_gives_the_rest_back(
    workers: dict[str, LiveWorker], redis_client: redis.Redis, store: JobStore, server: Valkey
) -> None:
    # Given a worker that computes a batch, holds some jobs of each lane and one for later, and leaves more in the queue
    worker = workers["warm"]
    running = occupy(store, "warm", 3000)
    with stock_app(server.url) as app:
        app.send_task("predict", ["later"], task_id="later", queue="model.warm", countdown=60)
    eventually(lambda: not redis_client.llen("model.warm"), 5)
    quick = submit(store, [willing("warm", number) for number in range(100)])
    slow = submit(store, [willing("warm", number, Lane.BULK) for number in range(5)])
    eventually(lambda: has_claim(redis_client, quick[0]), 10)
    with listening(server.url) as heard:
        # When it is told to stop
        worker.send(signal.SIGTERM)
        assert worker.code() == 0
        # Then what it computed has ended, and was told
        eventually(lambda: heard.kinds(running)[-1:] == ["succeeded"], 5)
    assert (store.get(running).status, store.get(running).attempt) == (Status.SUCCEEDED, 1)
    # And all else is in the queue in its order, and held by nobody
    waiting = queued_ids(redis_client, "warm")
    assert waiting == ["later", *quick]
    assert queued_ids(redis_client, "warm", 9) == slow
    assert {job.status for job in records(store, quick + slow)} == {Status.QUEUED}
    lists = {queue_list("model.warm", priority) for priority in (0, 9)}
    assert set(leftovers(redis_client, "warm")) == {*lists, "celeriac:model:warm:unfinished"}
    assert not redis_client.keys("celeriac:held:*")
    # And the heartbeat has said good-bye
    assert redis_client.zcard("celeriac:model:warm:workers") == 0


@pytest.mark.parametrize(
    ("model", "first", "second"),
    [("second-term", signal.SIGTERM, signal.SIGTERM), ("second-int", signal.SIGINT, signal.SIGINT)],
)
def test_a_second_signal_ends_a_worker_at_once(
    model: str, first: int, second: int, workers: dict[str, LiveWorker], store: JobStore
) -> None:
    # Given a worker that computes for long and was told to stop
    worker = workers[model]
    running = occupy(store, model, 60_000)
    waiting = submit(store, [willing(model, number) for number in range(10)])
    worker.send(first)
    eventually(lambda: "shutdown (MainProcess)" in worker.output(), 5)
    with pytest.raises(TimeoutError):
        await_end(worker, 1.0)
    # When it is told again
    worker.send(second)
    # Then it ends at once, and what it held can run elsewhere
    await_end(worker, 1.0)
    assert worker.code() == 128 + second
    assert "ends at once" in worker.output()
    assert [job.is_finished for job in records(store, [running, *waiting])] == [False] * 11


def await_end(worker: LiveWorker, within_s: float) -> None:
    deadline_s = time.monotonic() + within_s
    while worker.process and worker.process.poll() is None:
        if time.monotonic() > deadline_s:
            raise TimeoutError
        os.sched_yield()


def test_a_worker_told_to_quit_ends_at_once_and_each_job_ends_once_elsewhere(
    workers: dict[str, LiveWorker], redis_client: redis.Redis, store: JobStore, server: Valkey
) -> None:
    # Given two workers that share a backlog
    worker = workers["quit"]
    job_ids = submit(store, [willing("quit", number, wait_ms=300) for number in range(20 * MAX_ROWS)])
    with listening(server.url) as heard:
        eventually(lambda: runs_any(store, job_ids, worker.name), 20)
        # When one of them is told to quit amid a batch
        worker.send(signal.SIGQUIT)
        await_end(worker, 1.0)
        assert worker.code() == 128 + signal.SIGQUIT
        # Then the other one ends all jobs
        jobs = ended(store, job_ids)
        assert statuses(jobs) == {"succeeded": len(job_ids)}
        with suppress(AssertionError):
            eventually(lambda: is_clean(redis_client, "quit"), 20)
        assert leftovers(redis_client, "quit") == {}
        again = [job for job in jobs if job.attempt > 1]
        assert len(again) <= MAX_ROWS
        for number, job_id in enumerate(job_ids):
            assert answer(store, job_id)["outputs"]["y"][0][0] == 2 * number + 1
        # And those that were in the model run a second time, each alone, and are told of as retried
        assert again and {(job.attempt, job.worker) for job in again} == {(2, "spare@tests")}
        starts = Counter(job.started_at_us for job in jobs)
        assert {starts[job.started_at_us] for job in again} == {1}
        eventually(lambda: heard.count("task-succeeded", [job.id for job in again]) == len(again), 10)
        for job in again:
            assert heard.kinds(job.id)[-4:] == ["received", "retried", "started", "succeeded"]
        assert heard.count("task-retried") == len(again)
    assert redis_client.hgetall("celeriac:model:quit:finished") == {b"succeeded": str(len(job_ids)).encode()}


def runs_any(store: JobStore, job_ids: list[str], worker: str) -> bool:
    """Whether a worker computes some of these jobs now."""
    return any(job.status is Status.RUNNING and job.worker == worker for job in records(store, job_ids))
