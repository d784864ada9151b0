from __future__ import annotations

import pytest

from tasks.supervisor.life import Life, Phase
from tasks.supervisor.restart_policy import CALM_S, GiveUp, Restart, decide


@pytest.mark.parametrize(("failed_starts", "pause_s"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (1000, 30)])
def test_each_failed_start_doubles_the_pause_up_to_30_s(failed_starts: int, pause_s: float) -> None:
    assert decide(failed_starts=failed_starts, crashes=0, start_attempts=10_000) == Restart(pause_s)


@pytest.mark.parametrize(("crashes", "pause_s"), [(1, 1), (2, 2), (3, 4), (6, 30), (10_000, 30)])
def test_a_service_that_had_been_ready_is_never_given_up(crashes: int, pause_s: float) -> None:
    assert decide(failed_starts=0, crashes=crashes, start_attempts=1) == Restart(pause_s)


@pytest.mark.parametrize("start_attempts", [1, 3])
def test_the_last_allowed_failed_start_is_given_up_and_the_one_before_is_not(start_attempts: int) -> None:
    assert isinstance(decide(failed_starts=start_attempts, crashes=0, start_attempts=start_attempts), GiveUp)
    assert isinstance(decide(failed_starts=start_attempts - 1, crashes=1, start_attempts=start_attempts), Restart)


def test_chance_lengthens_a_pause_by_a_tenth_at_most() -> None:
    assert decide(failed_starts=2, crashes=0, start_attempts=3, chance=0.5) == Restart(pytest.approx(2.1))
    assert decide(failed_starts=2, crashes=0, start_attempts=3, chance=1.0) == Restart(pytest.approx(2.2))


def ended(life: Life, now_s: float) -> Life:
    return life.ended(now_s, start_attempts=3, chance=0.0)


def test_three_starts_that_fail_in_a_row_end_in_giving_up() -> None:
    life = Life()
    pauses_s = []
    for now_s in (10, 20):
        life = ended(life.started(now_s), now_s)
        assert life.phase is Phase.WAITING
        pauses_s.append(life.since_s - now_s)

    life = ended(life.started(30), 30)

    assert pauses_s == [1, 2]
    assert life.phase is Phase.GIVEN_UP
    assert life.settled


def test_a_start_that_succeeds_forgives_the_failed_ones_before_it() -> None:
    life = Life()
    for now_s in range(10):
        # Given one failed start, and then one that gets ready and crashes, over and over
        life = ended(life.started(now_s), now_s)
        life = ended(life.started(now_s).ready(now_s), now_s)

    assert life.phase is Phase.WAITING


def test_crashes_are_forgiven_after_a_calm_minute_and_not_before() -> None:
    crashed_twice = Life(crashes=2)

    hasty = ended(crashed_twice.started(0).ready(0), CALM_S - 1)
    calm = ended(crashed_twice.started(0).ready(0), CALM_S)

    assert (hasty.crashes, hasty.since_s - (CALM_S - 1)) == (3, 4)
    assert (calm.crashes, calm.since_s - CALM_S) == (1, 1)


def test_an_end_that_was_not_the_services_fault_counts_nothing() -> None:
    life = Life(failed_starts=2).started(10).excused(12)

    assert (life.phase, life.since_s, life.failed_starts) == (Phase.WAITING, 13, 2)


def test_a_worker_that_gave_way_has_not_failed_and_is_recalled_by_its_next_start() -> None:
    out = Life(Phase.READY, 5.0, crashes=1).leaving(10.0).out(12.0)
    assert (out.phase, out.settled, out.crashes, out.recalled) == (Phase.OUT, True, 1, False)
    recalled = out.started(20.0)
    assert (recalled.phase, recalled.recalled, recalled.settled) == (Phase.STARTING, True, False)
    assert not recalled.ready(25.0).recalled
    assert not Life().started(0.0).recalled
