"""Which version a worker's rollout gives to a job: by label, by number, or a sentence that says why none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import redis

from model_store.errors import LoadError
from tests.rollout_worker import RolloutWorker, add, add_broken, label


def test_labels_are_followed_and_name_what_is_loaded(tmp_path: Path, client: redis.Redis) -> None:
    for version in (1, 2, 3):
        add(tmp_path, version)
    label(tmp_path, "[labels]\nstable = 2\n")
    worker = RolloutWorker(tmp_path, client).start()
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
    tmp_path: Path, client: redis.Redis
) -> None:
    add(tmp_path, 1)
    label(tmp_path, "[labels]\nstable = 1\n")
    worker = RolloutWorker(tmp_path, client).start()
    label(tmp_path, "[labels]\nstable = 7\n")
    worker.step()
    assert worker.labels == {"latest": 1, "stable": 1}
    assert worker.rollout.labels_failure == "The store has no version for stable = 7."
    add_broken(tmp_path, 7)
    worker.step()
    assert worker.labels == {"latest": 1, "stable": 1}
    assert (worker.rollout.labels_failure, set(worker.rollout.failures)) == (None, {7})


def test_a_version_that_vanishes_is_served_until_another_is_there(tmp_path: Path, client: redis.Redis) -> None:
    for version in (1, 2):
        add(tmp_path, version)
    worker = RolloutWorker(tmp_path, client).start()
    shutil.move(tmp_path / "m" / "1", tmp_path / "kept")
    shutil.rmtree(tmp_path / "m" / "2")
    with pytest.raises(LoadError, match="has no version folder"):
        worker.step(1)
    assert worker.labels == {"latest": 2}
    shutil.move(tmp_path / "kept", tmp_path / "m" / "1")
    worker.step()
    assert worker.labels == {"latest": 1}


def test_a_job_for_a_version_that_is_not_loaded_has_it_loaded_while_the_store_has_it(
    tmp_path: Path, client: redis.Redis
) -> None:
    for version in (1, 2):
        add(tmp_path, version)
    worker = RolloutWorker(tmp_path, client).start()
    hurried: list[bool] = []
    worker.rollout.hurry = lambda: hurried.append(True)
    for version in (1, 9):
        assert worker.found(version=version, pinned=True) is None
    assert len(hurried) == 2
    worker.step(1)
    assert (worker.found(version=1, pinned=True), worker.labels) == (1, {"latest": 2})
    sentence = "Version 9 was asked for, and has left the model store since. Served are: 2."
    assert worker.found(version=9, pinned=True) == sentence


def test_a_job_for_a_version_that_cannot_be_loaded_is_told_why(tmp_path: Path, client: redis.Redis) -> None:
    add_broken(tmp_path, 1)
    add(tmp_path, 2)
    worker = RolloutWorker(tmp_path, client).start()
    worker.found(pinned=True)
    worker.step(1)
    assert worker.found(pinned=True).startswith("Version 1 was asked for, and cannot be loaded any more: ")
