"""Jobs that kill their workers, hang in them, or have them killed from outside, each in a batch with 20 others.

Real workers, started again whenever they die, with two batches in the model at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from tasks import keys
from tasks.broker import connect, server_time_us
from tasks.deliveries import MAX_ATTEMPTS
from tasks.job import Job, Status
from tasks.job_store import JobStore
from tasks.quarantine import Quarantine
from tasks.queues import queue_of
from tests.live_worker import ROOT, answer, ended, leftovers, make_job, records, submit
from tests.system import eventually
from tests.valkey import Valkey
from tests.worker_models import DEADLY, TOML, add_willing, willing_inputs
from tests.worker_nursery import Nursery

NEIGHBOURS = 20
#: The last one does no harm itself. It takes its time, in which the worker is killed, as a kernel without memory does.
POISONS: dict[str, dict[str, Any]] = {
    "deadly": {"number": DEADLY},
    "hanging": {"number": 0, "wait_ms": 600_000},
    "greedy": {"number": 7, "wait_ms": 3000},
}
#: In what time a worker is killed at the earliest: a kernel does not choose the moment at which a job begins.
KILL_AFTER_US = 500_000
#: What the workers of the hanging job say, and nobody else.
WATCHDOG = "A call of the model lasts longer than 2 s; the worker ends"


class Crew:
    """A worker for each model, which lives again when it has died."""

    def __init__(self, url: str, folder: Path) -> None:
        for model in POISONS:
            # Only where a call does hang is the operator's short timeout meant.
            add_willing(folder / "models", model, TOML if model == "hanging" else f"run_timeout_s = 60\n{TOML}")
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

    def kill(self, model: str) -> None:
        os.kill(self._pids[model], signal.SIGKILL)

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

    server_url: str
    client: redis.Redis
    store: JobStore
    crew: Crew
    poison: str
    neighbours: list[str]


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Story]]:
    """All at once: most of the time is spent on leases."""
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
            stories = {model: _begin(server.url, client, store, crew, model) for model in POISONS}
            kills = 0

            def all_have_ended() -> bool:
                nonlocal kills
                greedy, now_us = store.get(stories["greedy"].poison), server_time_us(client)
                if greedy.attempt > kills and now_us - (greedy.started_at_us or now_us) > KILL_AFTER_US:
                    crew.kill("greedy")
                    kills += 1
                crew.keep_alive()
                ids = [job_id for story in stories.values() for job_id in (story.poison, *story.neighbours)]
                return all(job.is_finished for job in records(store, ids))

            eventually(all_have_ended, 120)
            assert kills == MAX_ATTEMPTS
            yield stories
    finally:
        crew.close()
        server.stop()


def _begin(server_url: str, client: redis.Redis, store: JobStore, crew: Crew, model: str) -> Story:
    # While one runs, those that come after it gather to a batch.
    [occupant] = submit(store, [make_job(model, willing_inputs(0, wait_ms=500))])
    eventually(lambda: store.get(occupant).status is Status.RUNNING, 20)
    jobs = [make_job(model, willing_inputs(number)) for number in range(NEIGHBOURS)]
    jobs.insert(NEIGHBOURS // 2, make_job(model, willing_inputs(**POISONS[model])))
    ids = submit(store, jobs)
    return Story(server_url, client, store, crew, ids.pop(NEIGHBOURS // 2), ids)


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
    assert WATCHDOG not in crew.log("deadly") + crew.log("greedy")


def test_a_job_that_is_retried_by_the_command_runs_again_and_may_succeed_when_its_worker_lives(
    stories: dict[str, Story],
) -> None:
    # Given a job in the quarantine whose worker nobody kills any more
    story = stories["greedy"]
    # When it is retried as an operator does
    celeriac = [str(Path(sys.executable).with_name("celeriac")), "quarantine", "retry", story.poison]
    environment = {**os.environ, "REDIS_URL": story.server_url}
    told = subprocess.run(celeriac, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    # Then a new job of the same input runs from its first attempt on, and the old one stays where it was
    [again] = ended(story.store, [told.stdout.strip()])
    assert (again.status, again.retry_of, again.attempt) == (Status.SUCCEEDED, story.poison, 1)
    assert answer(story.store, again.id)["outputs"]["y"].tolist() == [[15.0] * 3]
    [kept] = Quarantine(story.client, story.store, 3600).jobs("greedy")
    assert kept.job.id == story.poison
