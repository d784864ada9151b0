"""Jobs that kill their workers and jobs that hang in them, each in a batch with 20 others.

Real workers, started again whenever they die, with two batches in the model at once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from tasks import keys
from tasks.broker import connect
from tasks.deliveries import MAX_ATTEMPTS
from tasks.job import Job, Status
from tasks.job_store import JobStore
from tasks.quarantine import Quarantine
from tasks.queues import queue_of
from tests.live_worker import answer, leftovers, make_job, records, submit
from tests.system import eventually
from tests.valkey import Valkey
from tests.worker_models import DEADLY, add_willing, willing_inputs
from tests.worker_nursery import Nursery

NEIGHBOURS = 20
POISONS: dict[str, dict[str, Any]] = {"deadly": {"number": DEADLY}, "hanging": {"number": 0, "wait_ms": 600_000}}
#: What the workers of the hanging job say, and nobody else.
WATCHDOG = "A call of the model lasts longer than 2 s; the worker ends"


class Crew:
    """A worker for each model, which lives again when it has died."""

    def __init__(self, url: str, folder: Path) -> None:
        for model in POISONS:
            add_willing(folder / "models", model)
        self._folder = folder
        self._nursery = Nursery(
            REDIS_URL=url,
            CELERIAC_MODEL_STORE=str(folder / "models"),
            CELERIAC_LEASE_S="3",
            CELERIAC_RUN_TIMEOUT_S="2",
            CELERIAC_PARALLEL_BATCHES="2",
        )
        self._pids: dict[str, int] = {}
        #: How often a worker was started.
        self.starts = dict.fromkeys(POISONS, 0)

    def keep_alive(self) -> None:
        """Start what is not running."""
        for model in POISONS:
            if model not in self._pids or not psutil.pid_exists(self._pids[model]):
                self._pids[model] = self._nursery.start(queue_of(model), f"{model}@tests", self._folder / model)
                self.starts[model] += 1

    def log(self, model: str) -> str:
        path = self._folder / model
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        for pid in self._pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._nursery.close()


@dataclass(frozen=True)
class Story:
    """What became of a poisoned job and of its neighbours."""

    client: redis.Redis
    store: JobStore
    crew: Crew
    poison: str
    neighbours: list[str]


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Story]]:
    """Both at once: most of the time is spent on leases."""
    folder = tmp_path_factory.mktemp("poison")
    (folder / "valkey").mkdir()
    server = Valkey(folder / "valkey")
    server.start()
    crew = Crew(server.url, folder)
    try:
        with closing(connect(server.url)) as client:
            store = JobStore(client, 3600)
            crew.keep_alive()
            eventually(lambda: all(f"{model}@tests ready." in crew.log(model) for model in POISONS), 120)
            stories = {model: _begin(client, store, crew, model) for model in POISONS}

            def all_have_ended() -> bool:
                crew.keep_alive()
                ids = [job_id for story in stories.values() for job_id in (story.poison, *story.neighbours)]
                return all(job.is_finished for job in records(store, ids))

            eventually(all_have_ended, 120)
            yield stories
    finally:
        crew.close()
        server.stop()


def _begin(client: redis.Redis, store: JobStore, crew: Crew, model: str) -> Story:
    # While one runs, those that come after it gather to a batch.
    [occupant] = submit(store, [make_job(model, willing_inputs(0, wait_ms=500))])
    eventually(lambda: store.get(occupant).status is Status.RUNNING, 20)
    jobs = [make_job(model, willing_inputs(number)) for number in range(NEIGHBOURS)]
    jobs.insert(NEIGHBOURS // 2, make_job(model, willing_inputs(**POISONS[model])))
    ids = submit(store, jobs)
    return Story(client, store, crew, ids.pop(NEIGHBOURS // 2), ids)


@pytest.mark.parametrize("model", POISONS)
def test_it_fails_as_poisoned_after_three_attempts_and_is_kept_with_its_input(
    model: str, stories: dict[str, Story]
) -> None:
    story = stories[model]
    job = story.store.get(story.poison)
    assert (job.status, job.failure_type, job.attempt) == (Status.FAILED, "poisoned", MAX_ATTEMPTS)
    assert story.crew.starts[model] == MAX_ATTEMPTS + 1
    [kept] = Quarantine(story.client, story.store, 3600).jobs(model)
    assert kept.job == job and kept.input_bytes > 0
    assert story.client.exists(keys.job_input(story.poison))


@pytest.mark.parametrize("model", POISONS)
def test_each_of_its_neighbours_succeeds_and_was_in_its_batch_no_more_than_once(
    model: str, stories: dict[str, Story]
) -> None:
    story = stories[model]
    jobs: list[Job] = records(story.store, story.neighbours)
    assert {job.status for job in jobs} == {Status.SUCCEEDED}
    assert max(job.attempt for job in jobs) == 2
    assert sum(job.attempt == 2 for job in jobs) >= NEIGHBOURS / 2
    for number, job in enumerate(jobs):
        assert answer(story.store, job.id)["outputs"]["y"].tolist() == [[2.0 * number + 1] * 3]
    eventually(lambda: leftovers(story.client, model) == {}, 20)


def test_a_worker_says_that_its_model_hangs_before_it_ends(stories: dict[str, Story]) -> None:
    crew = stories["hanging"].crew
    assert crew.log("hanging").count(WATCHDOG) == MAX_ATTEMPTS
    assert WATCHDOG not in crew.log("deadly")
