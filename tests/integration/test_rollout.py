"""A worker's rollout without the worker: real models, loaded in this process, and a real Redis."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import tensorflow as tf

from model_store.errors import LoadError, ModelStoreError
from tasks import keys
from tasks.job import Job, new_job_id
from tasks.loading import Opener
from tasks.settings import read_settings
from tasks.versions.departures import Departures
from tasks.versions.loads import Loads
from tasks.versions.rollout import Rollout, Surroundings
from tasks.versions.shelf import Shelf
from tasks.versions.trial import Trial
from tests.batchers import Clock
from tests.tiny_models import LINEAR_SPEC, add_linear, linear, version_folder

# Searching for the best batch is not what these tests are about.
TOML = "[batching]\nmax_batch_size = 1\n"


class Rehearsal(Trial):
    """A trial that takes no time: it says what the test wants."""

    def __init__(self) -> None:
        super().__init__("m")
        self.tried: list[int] = []
        self.verdict: Callable[[], str | None] = lambda: None

    def run(self, number: int) -> str | None:
        self.tried.append(number)
        return self.verdict()


class Worker:
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

    def start(self) -> Worker:
        self.rollout.start()
        return self

    def step(self, times: int = 2) -> bool:
        """As often as it takes for a version to stand still; gives whether the last step changed anything."""
        return [self.rollout.step() for _ in range(times)][-1]

    @property
    def loaded(self) -> set[int]:
        return set(self.rollout.serving.loaded)

    @property
    def labels(self) -> dict[str, int]:
        return dict(self.rollout.serving.labels)

    def found(self, **values: Any) -> Any:
        """What a job gets: a version's number, or the rollout's word."""
        found = self.rollout.find(Job(id=new_job_id(), model="m", **{"version": 1, **values}))
        return found if found is None or isinstance(found, str) else found.model.version


def add(store: Path, version: int) -> Path:
    return add_linear(store, "m", "frozen_graph", version, TOML)


def add_broken(store: Path, version: int) -> Path:
    artifact = add(store, version)
    artifact.write_bytes(artifact.read_bytes()[:40])
    return artifact


def label(store: Path, text: str) -> None:
    (store / "m" / "versions.toml").write_text(text)


@pytest.fixture
def make(tmp_path: Path, client: redis.Redis) -> Callable[[], Worker]:
    return lambda: Worker(tmp_path, client)


def test_at_the_start_the_newest_that_loads_is_served_and_the_others_are_told(
    tmp_path: Path, make: Callable[[], Worker]
) -> None:
    for version in (1, 2):
        add(tmp_path, version)
    for version in (3, 4):
        add_broken(tmp_path, version)
    worker = make().start()
    assert (worker.loaded, worker.labels, worker.found()) == ({2}, {"latest": 2}, 2)
    assert set(worker.rollout.failures) == {3, 4}
    assert f"{tmp_path / 'm' / '4'}" in worker.rollout.failures[4].reason
    assert worker.rollout.serving.default.model.predict({"x": np.ones((1, 3), "float32")})["y"].tolist() == [[3, 3, 3]]


def test_where_none_loads_the_newests_reason_is_the_sentence(tmp_path: Path, make: Callable[[], Worker]) -> None:
    for version in (1, 2):
        add_broken(tmp_path, version)
    with pytest.raises(ModelStoreError, match=f"{tmp_path / 'm' / '2'}"):
        make().start()


def test_a_new_version_is_loaded_when_it_stands_still_and_the_old_one_stays_for_its_jobs(
    tmp_path: Path, make: Callable[[], Worker]
) -> None:
    add(tmp_path, 1)
    worker = make().start()
    assert not worker.step(3)
    old = weakref.ref(worker.rollout.serving.loaded[1].model)
    # When a version is copied into the store bit by bit
    artifact = add(tmp_path, 2)
    whole = artifact.read_bytes()
    for end in (10, 50, len(whole)):
        artifact.write_bytes(whole[:end])
        assert not worker.step(1)
    # Then it is loaded at the second look that finds it the same, tried elsewhere first
    assert worker.step(1)
    assert (worker.trial.tried, worker.labels, worker.loaded) == ([2], {"latest": 2}, {1, 2})
    assert (worker.found(), worker.found(pinned=True), worker.rollout.failures) == (2, 1, {})
    # and the old one is kept as long as a job that was accepted for it may wait
    worker.clock.now_s += 100
    worker.oldest_age_s = 101.0
    worker.step()
    assert worker.loaded == {1, 2}
    worker.oldest_age_s = 1.0
    assert worker.step(1)
    assert worker.loaded == {2}
    worker.step(1)
    assert old() is None


def test_a_dropped_model_is_gone_from_memory_though_its_parts_refer_to_each_other(
    tmp_path: Path, make: Callable[[], Worker]
) -> None:
    # Given a model of two signatures, among what Python looks for no garbage in
    module = tf.Module()
    module.call = tf.function(linear)
    call = module.call.get_concrete_function(**LINEAR_SPEC)
    folder = version_folder(tmp_path, "m", 1, TOML)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": call, "other": call})
    worker = make().start()
    assert set(worker.rollout.serving.default.model.describe()["signatures"]) == {"serving_default", "other"}
    old = weakref.ref(worker.rollout.serving.loaded[1].model)
    # When another one takes its place, and its time is over
    add(tmp_path, 2)
    worker.step()
    worker.clock.now_s += 100
    worker.step(1)
    assert worker.loaded == {2}
    # Then it is freed, though not while jobs would wait for that
    worker.rollout.is_idle = lambda: False
    worker.step(1)
    gc.collect()
    assert old() is not None
    worker.rollout.is_idle = lambda: True
    worker.step(1)
    assert old() is None


def test_a_version_that_fails_leaves_the_old_one_and_is_tried_again_when_its_files_change(
    tmp_path: Path, make: Callable[[], Worker]
) -> None:
    add(tmp_path, 1)
    worker = make().start()
    broken = add_broken(tmp_path, 2)
    assert worker.step()
    assert (worker.labels, set(worker.rollout.failures)) == ({"latest": 1}, {2})
    assert worker.rollout.failures[2].at_us > 1_700_000_000_000_000
    assert not worker.step(3)
    assert worker.trial.tried == [2]
    shutil.copy(tmp_path / "m" / "1" / "linear.pb", broken)
    assert worker.step(3) is False
    assert (worker.labels, worker.rollout.failures) == ({"latest": 2}, {})


def test_a_version_that_fails_and_is_taken_away_is_no_failure_any_more(
    tmp_path: Path, make: Callable[[], Worker]
) -> None:
    add(tmp_path, 1)
    worker = make().start()
    add_broken(tmp_path, 2)
    worker.step()
    shutil.rmtree(tmp_path / "m" / "2")
    assert worker.step(1)
    assert worker.rollout.failures == {}


def test_what_the_trial_refuses_or_dies_of_is_not_loaded_here(tmp_path: Path, make: Callable[[], Worker]) -> None:
    add(tmp_path, 1)
    worker = make().start()
    add(tmp_path, 2)
    worker.trial.verdict = lambda: "It has an operator that is refused."
    worker.step()
    assert worker.rollout.failures[2].reason == "It has an operator that is refused."
    add(tmp_path, 3)

    def die() -> str | None:
        raise LoadError("It died by SIGABRT.")

    worker.trial.verdict = die
    worker.step()
    assert worker.rollout.failures[3].reason == "It died by SIGABRT."
    assert worker.labels == {"latest": 1}


def test_labels_are_followed_and_name_what_is_loaded(tmp_path: Path, make: Callable[[], Worker]) -> None:
    for version in (1, 2, 3):
        add(tmp_path, version)
    label(tmp_path, "[labels]\nstable = 2\n")
    worker = make().start()
    assert (worker.loaded, worker.labels, worker.found()) == ({2, 3}, {"latest": 3, "stable": 2}, 2)
    # None of them beside jobs, so none was tried elsewhere first.
    assert worker.trial.tried == []
    label(tmp_path, "[labels]\nstable = 3\ncanary = 1\n[shares]\ncanary = 0.25\n")
    worker.step(3)
    assert worker.labels == {"latest": 3, "stable": 3, "canary": 1}
    assert worker.rollout.labels.shares == {"canary": 0.25}
    assert worker.found(label="canary") == 1
    assert worker.found(version=2, pinned=True) == 2


def test_a_label_for_a_version_that_is_missing_or_broken_keeps_the_one_it_had(
    tmp_path: Path, make: Callable[[], Worker]
) -> None:
    add(tmp_path, 1)
    label(tmp_path, "[labels]\nstable = 1\n")
    worker = make().start()
    label(tmp_path, "[labels]\nstable = 7\n")
    worker.step()
    assert worker.labels == {"latest": 1, "stable": 1}
    assert worker.rollout.labels_failure == "The store has no version for stable = 7."
    add_broken(tmp_path, 7)
    worker.step()
    assert worker.labels == {"latest": 1, "stable": 1}
    assert (worker.rollout.labels_failure, set(worker.rollout.failures)) == (None, {7})


def test_a_version_that_vanishes_is_served_until_another_is_there(tmp_path: Path, make: Callable[[], Worker]) -> None:
    for version in (1, 2):
        add(tmp_path, version)
    worker = make().start()
    shutil.move(tmp_path / "m" / "1", tmp_path / "kept")
    shutil.rmtree(tmp_path / "m" / "2")
    with pytest.raises(LoadError, match="has no version folder"):
        worker.step(1)
    assert worker.labels == {"latest": 2}
    shutil.move(tmp_path / "kept", tmp_path / "m" / "1")
    worker.step()
    assert worker.labels == {"latest": 1}


def test_a_job_for_a_version_that_is_not_loaded_has_it_loaded_while_the_store_has_it(
    tmp_path: Path, make: Callable[[], Worker]
) -> None:
    for version in (1, 2):
        add(tmp_path, version)
    worker = make().start()
    hurried: list[bool] = []
    worker.rollout.hurry = lambda: hurried.append(True)
    for version in (1, 9):
        assert worker.found(version=version, pinned=True) is None
    assert len(hurried) == 2
    worker.step(1)
    assert (worker.found(version=1, pinned=True), worker.labels) == (1, {"latest": 2})
    sentence = "Version 9 was asked for, and has left the model store since. Served are: 2."
    assert worker.found(version=9, pinned=True) == sentence


def test_a_job_for_a_version_that_cannot_be_loaded_is_told_why(tmp_path: Path, make: Callable[[], Worker]) -> None:
    add_broken(tmp_path, 1)
    add(tmp_path, 2)
    worker = make().start()
    worker.found(pinned=True)
    worker.step(1)
    assert worker.found(pinned=True).startswith("Version 1 was asked for, and cannot be loaded any more: ")


def test_a_load_that_ended_its_process_is_tried_elsewhere_first_at_the_next_start(
    tmp_path: Path, make: Callable[[], Worker], client: redis.Redis
) -> None:
    for version in (1, 2):
        add(tmp_path, version)
    # Given a worker whose process ended amid loading version 2
    before = make()
    mark = before.rollout._shelf.mark(2, tmp_path / "m" / "2")
    before.loads.begin(2, mark)

    def die() -> str | None:
        raise LoadError("It died by SIGABRT.")

    # When the trial dies of it, then the older one is served
    worker = make()
    worker.trial.verdict = die
    worker.start()
    assert (worker.trial.tried, worker.labels) == ([2], {"latest": 1})
    # and as long as it has not been loaded, each start tries it elsewhere
    worker = make().start()
    assert (worker.trial.tried, worker.labels) == ([2], {"latest": 2})
    worker = make().start()
    assert (worker.trial.tried, client.hlen(keys.loads("m"))) == ([], 0)


def test_files_that_change_while_they_are_loaded_are_loaded_again(tmp_path: Path, make: Callable[[], Worker]) -> None:
    add(tmp_path, 1)
    worker = make().start()
    artifact = add(tmp_path, 2)

    def touch() -> str | None:
        artifact.touch()
        return None

    worker.trial.verdict = touch
    worker.step()
    assert (worker.labels, worker.rollout.failures) == ({"latest": 1}, {})
    worker.trial.verdict = lambda: None
    worker.step(3)
    assert worker.labels == {"latest": 2}
