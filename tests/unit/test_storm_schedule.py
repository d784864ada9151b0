"""What the storm does, and when, is a function of a seed and a duration."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.storm.schedule import API, API_CHILD, BROKER, KEEPER, MODELS, OF_A_QUEUE, WORKERS, Deed, schedule


def test_the_same_seed_gives_the_same_storm_and_another_one_another() -> None:
    assert schedule(1, 60) == schedule(1, 60)
    assert schedule(1, 60) != schedule(2, 60)


def test_ten_minutes_bring_more_than_a_hundred_kills_and_everybody_is_killed_often() -> None:
    killed = Counter(one.target for one in schedule(1, 600) if one.deed is Deed.KILL)
    assert killed.total() > 100
    assert set(killed) == {*WORKERS, API, API_CHILD, BROKER, KEEPER}
    assert min(killed.values()) >= 8


@pytest.mark.parametrize("seed", range(20))
def test_each_deed_is_done_however_short_the_storm(seed: int) -> None:
    actions = schedule(seed, 20)
    assert {one.deed for one in actions} == set(Deed)
    assert actions == sorted(actions)
    assert all(0 <= one.time_s <= 20 for one in actions if one.deed is not Deed.GO_ON)


def test_who_is_stopped_is_let_go_on_later() -> None:
    actions = schedule(3, 600)
    stopped = [one for one in actions if one.deed is Deed.STOP]
    resumed = [one for one in actions if one.deed is Deed.GO_ON]
    assert Counter(one.target for one in stopped) == Counter(one.target for one in resumed)
    for one in stopped:
        assert any(one.target == other.target and 0 < other.time_s - one.time_s <= 8 for other in resumed)


def test_jobs_are_slipped_in_among_models_and_only_processes_are_struck() -> None:
    for one in schedule(4, 600):
        assert (one.target in MODELS) == (one.deed in OF_A_QUEUE)
