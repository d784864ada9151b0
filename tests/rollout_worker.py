"""A worker's rollout without the worker: real models, loaded in this process, and a trial that takes no time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from tasks.job import Job, new_job_id
from tasks.loading import Opener
from tasks.settings import read_settings
from tasks.versions.departures import Departures
from tasks.versions.loads import Loads
from tasks.versions.rollout import Rollout, Surroundings
from tasks.versions.shelf import Shelf
from tasks.versions.trial import Trial
from tests.batchers import Clock
from tests.tiny_models import add_linear

#: For a model.toml: searching for the best batch is not what tests of a rollout are about.
ONE_ROW = "[batching]\nmax_batch_size = 1\n"


class Rehearsal(Trial):
    """A trial that takes no time: it says what the test wants."""

    def __init__(self) -> None:
        super().__init__("m")
        self.tried: list[int] = []
        self.verdict: Callable[[], str | None] = lambda: None

    def run(self, number: int) -> str | None:
        """Note the version, and give the verdict."""
        self.tried.append(number)
        return self.verdict()


class RolloutWorker:
    """What a rollout needs of a worker."""

    def __init__(self, store: Path, client: redis.Redis) -> None:
        self.clock = Clock()
        self.oldest_age_s: float | None = None
        self.trial = Rehearsal()
        self.loads = Loads(client, "m", "one@tests")
        opener = Opener(read_settings({}), place=lambda device: "CPU")
        leaving = Departures(lambda: self.oldest_age_s, lambda number: False, opener.collect, self.clock)
        shelf = Shelf(store, "m")
        self.rollout = Rollout("m", shelf, Surroundings(opener, self.trial, self.loads, leaving))

    def start(self) -> RolloutWorker:
        """Load what the store has; gives the worker itself."""
        self.rollout.start()
        return self

    def step(self, times: int = 2) -> bool:
        """As often as it takes for a version to stand still; gives whether the last step changed anything."""
        return [self.rollout.step() for _ in range(times)][-1]

    @property
    def loaded(self) -> set[int]:
        """The versions in memory."""
        return set(self.rollout.serving.loaded)

    @property
    def labels(self) -> dict[str, int]:
        """The version that each label stands for."""
        return dict(self.rollout.serving.labels)

    def found(self, **values: Any) -> Any:
        """What a job gets: a version's number, or the rollout's word."""
        found = self.rollout.find(Job(id=new_job_id(), model="m", **{"version": 1, **values}))
        return found if found is None or isinstance(found, str) else found.model.version


def add(store: Path, version: int) -> Path:
    """Add a version of the linear model; gives its file."""
    return add_linear(store, "m", "frozen_graph", version, ONE_ROW)


def add_broken(store: Path, version: int) -> Path:
    """Add a version whose file was cut off; gives it."""
    artifact = add(store, version)
    artifact.write_bytes(artifact.read_bytes()[:40])
    return artifact


def label(store: Path, text: str) -> None:
    """Write the model's versions.toml."""
    (store / "m" / "versions.toml").write_text(text)
