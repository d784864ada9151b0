"""A worker's rollout without the worker: versions come, fail and go, as real models before a real Redis."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
import redis
import tensorflow as tf

from model_store.errors import LoadError, ModelStoreError
from tasks import keys
from tests.rollout_worker import ONE_ROW, RolloutWorker, add, add_broken
from tests.tiny_models import LINEAR_SPEC, linear, version_folder


def test_at_the_start_the_newest_that_loads_is_served_and_the_others_are_told(
    tmp_path: Path, client: redis.Redis
) -> None:
    for version in (1, 2):
        add(tmp_path, version)
    for version in (3, 4):
        add_broken(tmp_path, version)
    worker = RolloutWorker(tmp_path, client).start()
    assert (worker.loaded, worker.labels, worker.found()) == ({2}, {"latest": 2}, 2)
    assert set(worker.rollout.failures) == {3, 4}
    assert f"{tmp_path / 'm' / '4'}" in worker.rollout.failures[4].reason
    assert worker.rollout.serving.default.model.predict({"x": np.ones((1, 3), "float32")})["y"].tolist() == [[3, 3, 3]]


def test_where_none_loads_the_newests_reason_is_the_sentence(tmp_path: Path, client: redis.Redis) -> None:
    for version in (1, 2):
        add_broken(tmp_path, version)
    with pytest.raises(ModelStoreError, match=f"{tmp_path / 'm' / '2'}"):
        RolloutWorker(tmp_path, client).start()


def test_a_new_version_is_loaded_when_it_stands_still_and_the_old_one_stays_for_its_jobs(
    tmp_path: Path, client: redis.Redis
) -> None:
    add(tmp_path, 1)
    worker = RolloutWorker(tmp_path, client).start()
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
    tmp_path: Path, client: redis.Redis
) -> None:
    # Given a model of two signatures, among what Python looks for no garbage in
    module = tf.Module()
    module.call = tf.function(linear)
    call = module.call.get_concrete_function(**LINEAR_SPEC)
    folder = version_folder(tmp_path, "m", 1, ONE_ROW)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": call, "other": call})
    worker = RolloutWorker(tmp_path, client).start()
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
    tmp_path: Path, client: redis.Redis
) -> None:
    add(tmp_path, 1)
    worker = RolloutWorker(tmp_path, client).start()
    broken = add_broken(tmp_path, 2)
    assert worker.step()
    assert (worker.labels, set(worker.rollout.failures)) == ({"latest": 1}, {2})
    assert worker.rollout.failures[2].at_us > 1_700_000_000_000_000
    assert not worker.step(3)
    assert worker.trial.tried == [2]
    shutil.copy(tmp_path / "m" / "1" / "linear.pb", broken)
    assert worker.step(3) is False
    assert (worker.labels, worker.rollout.failures) == ({"latest": 2}, {})


def test_a_version_that_fails_and_is_taken_away_is_no_failure_any_more(tmp_path: Path, client: redis.Redis) -> None:
    add(tmp_path, 1)
    worker = RolloutWorker(tmp_path, client).start()
    add_broken(tmp_path, 2)
    worker.step()
    shutil.rmtree(tmp_path / "m" / "2")
    assert worker.step(1)
    assert worker.rollout.failures == {}


def test_what_the_trial_refuses_or_dies_of_is_not_loaded_here(tmp_path: Path, client: redis.Redis) -> None:
    add(tmp_path, 1)
    worker = RolloutWorker(tmp_path, client).start()
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


def test_a_load_that_ended_its_process_is_tried_elsewhere_first_at_the_next_start(
    tmp_path: Path, client: redis.Redis
) -> None:
    for version in (1, 2):
        add(tmp_path, version)
    # Given a worker whose process ended amid loading version 2
    before = RolloutWorker(tmp_path, client)
    mark = before.rollout._shelf.mark(2, tmp_path / "m" / "2")
    before.loads.begin(2, mark)

    def die() -> str | None:
        raise LoadError("It died by SIGABRT.")

    # When the trial dies of it, then the older one is served
    worker = RolloutWorker(tmp_path, client)
    worker.trial.verdict = die
    worker.start()
    assert (worker.trial.tried, worker.labels) == ([2], {"latest": 1})
    # and as long as it has not been loaded, each start tries it elsewhere
    worker = RolloutWorker(tmp_path, client).start()
    assert (worker.trial.tried, worker.labels) == ([2], {"latest": 2})
    worker = RolloutWorker(tmp_path, client).start()
    assert (worker.trial.tried, client.hlen(keys.loads("m"))) == ([], 0)


def test_files_that_change_while_they_are_loaded_are_loaded_again(tmp_path: Path, client: redis.Redis) -> None:
    add(tmp_path, 1)
    worker = RolloutWorker(tmp_path, client).start()
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
