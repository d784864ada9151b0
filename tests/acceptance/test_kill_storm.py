"""Workers are killed again and again while they work; every job ends once, with the right answer."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import psutil
import pytest
import redis

from tasks import keys
from tasks.broker import connect
from tasks.job_store import JobStore
from tasks.queues import queue_of
from tests.live_worker import answer, leftovers, linear_job, records, submit
from tests.system import eventually
from tests.tiny_models import add_linear
from tests.valkey import Valkey
from tests.worker_nursery import Nursery

JOBS = 10_000
KILLS = 30
#: Jobs of one submission.
WAVE = 100
#: How many workers live at once.
WORKERS = 3
#: Small batches: what one kill interrupts runs again one by one.
TOML = "[batching]\nmax_batch_size = 16\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    (tmp_path / "valkey").mkdir()
    server = Valkey(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


class Crew:
    """Workers of the linear model, of which some live at every moment."""

    def __init__(self, url: str, folder: Path) -> None:
        add_linear(folder / "models", toml=TOML)
        self._folder = folder
        self._nursery = Nursery(
            REDIS_URL=url, CELERIAC_MODEL_STORE=str(folder / "models"), CELERIAC_LEASE_S="3", CELERIAC_TASK_EVENTS="0"
        )
        self._started = 0
        self.workers: dict[str, int] = {}

    def add(self) -> str:
        """Start one more; gives its name."""
        name = f"w{self._started}@tests"
        self.workers[name] = self._nursery.start(queue_of("linear"), name, self._folder / name)
        self._started += 1
        return name

    def ready(self) -> list[str]:
        """The workers that take jobs."""
        return [name for name in self.workers if self._is_ready(name)]

    def _is_ready(self, name: str) -> bool:
        log = self._folder / name
        return log.exists() and f"{name} ready." in log.read_text()

    def kill(self, name: str) -> None:
        pid = self.workers.pop(name)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not psutil.pid_exists(pid), 10)

    def close(self) -> None:
        for name in list(self.workers):
            self.kill(name)
        self._nursery.close()


@pytest.fixture
def crew(server: Valkey, tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(server.url, tmp_path)
    yield crew
    crew.close()


class Ends:
    """Hears of each end of a job, from the channel on which clients wait."""

    def __init__(self, client: redis.Redis) -> None:
        self._heard: Counter[str] = Counter()
        self._channel = client.pubsub()
        self._channel.subscribe(**{keys.ENDED: self._count})
        self._thread = self._channel.run_in_thread(sleep_time=0.1, daemon=True)

    def _count(self, message: dict[str, Any]) -> None:
        self._heard.update(line.partition(" ")[0] for line in message["data"].decode().split("\n"))

    def close(self) -> dict[str, int]:
        """How often each job ended."""
        self._thread.stop()
        self._thread.join(10)
        self._channel.close()
        return dict(self._heard)


class Submission:
    """Submits jobs in waves, on a thread of its own, a share of them for each kill."""

    def __init__(self, store: JobStore) -> None:
        self.job_ids: list[str] = []
        self._store = store
        self._share: SimpleQueue[int] = SimpleQueue()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def go_on(self, most: int) -> None:
        """Submit until there are so many."""
        self._share.put(most)

    def _run(self) -> None:
        while most := self._share.get():
            while (start := len(self.job_ids)) < most:
                wave = range(start, min(start + WAVE, most))
                self.job_ids += submit(self._store, [linear_job(number) for number in wave])

    def close(self) -> None:
        self._share.put(0)
        self._thread.join(30)


@pytest.mark.timeout(400)
def test_thirty_kills_under_load_and_every_job_ends_exactly_once(server: Valkey, crew: Crew) -> None:
    chance = random.Random(20261122)
    client = connect(server.url)
    store = JobStore(client, 3600)
    ends, pause = Ends(client), Event()
    # Given workers, and jobs that come in waves
    for _ in range(WORKERS):
        crew.add()
    eventually(lambda: len(crew.ready()) == WORKERS, 120)
    submission = Submission(store)
    try:
        # When one worker after the other is killed at a random moment of a wave, and another takes its place
        for kill in range(KILLS):
            ready = eventually(crew.ready, 60)
            submission.go_on(JOBS * (kill + 1) // KILLS)
            eventually(lambda: client.zcard(keys.running("linear")), 60)
            pause.wait(chance.uniform(0.0, 0.08))
            crew.kill(chance.choice(ready))
            crew.add()
    finally:
        submission.close()
    # Then every job has ended once, with its own answer
    eventually(lambda: sum(map(int, client.hvals(keys.finished("linear")))) >= JOBS, 120)
    jobs = records(store, submission.job_ids)
    assert Counter(str(job.status) for job in jobs) == {"succeeded": JOBS}
    assert client.hgetall(keys.finished("linear")) == {b"succeeded": str(JOBS).encode()}
    assert ends.close() == {job_id: 1 for job_id in submission.job_ids}
    for number, job_id in enumerate(submission.job_ids):
        assert answer(store, job_id)["outputs"]["y"][0][0] == 2 * number + 1
    # And nothing of them is left
    eventually(lambda: leftovers(client, "linear") == {}, 20)
    # And the kills did hit jobs that ran
    assert sum(job.attempt > 1 for job in jobs) > 0
