from __future__ import annotations

import pytest

from api.drain import LONGEST_RETRY_S, USUAL_RETRY_S, Sample, drain_rate, retry_after_s, start_in_s


def test_the_rate_is_that_of_the_time_in_which_jobs_waited() -> None:
    busy = [Sample(0, 100, 50), Sample(5, 150, 30), Sample(10, 180, 10)]
    assert drain_rate(busy) == 8.0
    # An hour with next to no jobs changes nothing of it
    assert drain_rate([*busy, Sample(15, 190, 0), Sample(3600, 191, 0), Sample(3605, 191, 1)]) == 8.0


@pytest.mark.parametrize("samples", [[], [Sample(0, 1, 5)], [Sample(0, 1, 5), Sample(5, 6, 0), Sample(10, 6, 1)]])
def test_without_a_time_in_which_jobs_waited_there_is_no_rate(samples: list[Sample]) -> None:
    assert drain_rate(samples) is None


def test_a_queue_that_nobody_empties_has_the_rate_0_and_counts_that_begin_anew_are_none() -> None:
    assert drain_rate([Sample(0, 7, 5), Sample(5, 7, 5)]) == 0.0
    assert drain_rate([Sample(0, 700, 5), Sample(5, 3, 5), Sample(10, 13, 5)]) == 1.0


@pytest.mark.parametrize(
    ("queued", "rate", "seconds"),
    [
        (100_000, 1000.0, 1),
        (100_000, 100.0, 10),
        (100_000, 3.0, LONGEST_RETRY_S),
        (5, 0.1, 10),
        (5, 1e9, 1),
        (5, 0.0, LONGEST_RETRY_S),
        (5, None, USUAL_RETRY_S),
    ],
)
def test_a_client_comes_again_when_a_hundredth_of_the_queue_is_gone(
    queued: int, rate: float | None, seconds: int
) -> None:
    assert retry_after_s(queued, rate) == seconds


@pytest.mark.parametrize(
    ("in_front", "rate", "seconds"), [(0, 8.0, 0.0), (20, 8.0, 2.5), (1, 3.0, 0.3), (20, None, None), (20, 0.0, None)]
)
def test_a_job_starts_when_those_in_front_of_it_are_gone(
    in_front: int, rate: float | None, seconds: float | None
) -> None:
    assert start_in_s(in_front, rate) == seconds


def test_while_it_is_paused_nothing_ends_and_after_it_the_time_of_the_pause_counts_for_nothing() -> None:
    before = [Sample(0, 100, 50), Sample(5, 150, 30)]
    pause = [Sample(10, 155, 30, paused=True), Sample(600, 155, 30, paused=True)]
    assert drain_rate(before) == 10.0
    assert drain_rate([*before, *pause]) == 0.0
    assert drain_rate([*before, *pause, Sample(605, 156, 30)]) == 10.0
    assert drain_rate([*before, *pause, Sample(605, 156, 30), Sample(610, 176, 10)]) == 7.0
