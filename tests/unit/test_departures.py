from __future__ import annotations

import pytest

from tasks.model_registry import LiveWorker
from tasks.versions.departures import KNOWN_S, PATIENCE_S, Departures
from tasks.versions.peers import rely_on
from tests.batchers import Clock


class Leaving:
    """One version on its way out."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.oldest_age_s: float | None = None
        self.is_needed = False
        self.collected = 0
        self.departures = Departures(lambda: self.oldest_age_s, lambda number: self.is_needed, self.collect, self.clock)

    def collect(self) -> None:
        self.collected += 1

    def is_over(self) -> bool:
        return self.departures.over({3}) == [3]


@pytest.fixture
def leaving() -> Leaving:
    leaving = Leaving()
    assert not leaving.is_over()
    return leaving


def test_a_version_stays_until_everybody_knows_that_it_has_been_replaced(leaving: Leaving) -> None:
    leaving.clock.now_s += KNOWN_S - 0.1
    assert not leaving.is_over()
    leaving.clock.now_s += 0.2
    assert leaving.is_over()


def test_a_version_stays_as_long_as_a_job_from_its_time_has_not_ended(leaving: Leaving) -> None:
    leaving.clock.now_s += 100
    for age_s, is_over in ((101.0, False), (99.0, False), (100 - KNOWN_S + 0.1, False), (100 - KNOWN_S - 0.1, True)):
        leaving.oldest_age_s = age_s
        assert leaving.is_over() is is_over


def test_a_version_that_comes_back_has_all_its_time_again(leaving: Leaving) -> None:
    leaving.clock.now_s += 100
    assert leaving.departures.over(set()) == []
    assert not leaving.is_over()


def test_a_version_stays_while_another_worker_has_no_other_in_common(leaving: Leaving) -> None:
    leaving.clock.now_s += 100
    leaving.is_needed = True
    assert not leaving.is_over()


def test_memory_is_freed_once_nobody_uses_a_dropped_model_any_more(leaving: Leaving) -> None:
    class Model:
        pass

    model = Model()
    leaving.departures.watch([model])
    leaving.departures.free(is_idle=True)
    assert leaving.collected == 0
    del model
    # Not while jobs would wait for it, but for ever neither
    leaving.departures.free(is_idle=False)
    assert leaving.collected == 0
    leaving.departures.free(is_idle=True)
    leaving.departures.free(is_idle=True)
    assert leaving.collected == 1


def test_memory_is_freed_in_the_end_though_there_are_always_jobs(leaving: Leaving) -> None:
    leaving.departures.watch([Clock()])
    for now_s in (0.0, PATIENCE_S / 2, PATIENCE_S, PATIENCE_S * 3):
        leaving.clock.now_s = now_s
        leaving.departures.free(is_idle=False)
    assert leaving.collected == 1


@pytest.mark.parametrize("versions, relies", [([3], True), ([3, 4], False), ([2], False), ([], False)])
def test_a_worker_relies_on_a_version_when_it_has_none_of_those_that_stay(versions: list[int], relies: bool) -> None:
    assert rely_on([LiveWorker("other", 1, 3, "CPU", versions)], 3, {4, 5}) is relies
