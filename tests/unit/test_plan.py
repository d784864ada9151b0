from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import pytest

from tasks.batching.plan import may_begin, may_run_beside, messages_wanted, next_batch, runnable_lanes, wait_s
from tasks.job import Lane

LANES = (Lane.INTERACTIVE, Lane.BULK)
BULK_IS_DUE = (Lane.BULK, Lane.INTERACTIVE)


@dataclass(eq=False)
class Waiting:
    """A job that is ready, with a name for the test to see it by."""

    name: str
    lane: Lane = Lane.INTERACTIVE
    rows: int = 1
    batch_rows: int = 1000
    is_suspect: bool = False
    group: Hashable = "floats"
    ready_s: float = 0.0


def bulk(name: str, rows: int = 1) -> Waiting:
    return Waiting(name, Lane.BULK, rows)


def names(jobs: list[Waiting]) -> list[str]:
    return [job.name for job in jobs]


def test_large_rows_allow_fewer_in_a_batch() -> None:
    ready = [Waiting(name, batch_rows=2) for name in "abcde"]
    assert names(next_batch(ready, 100, LANES)) == ["a", "b"]


def test_a_batch_has_the_oldest_jobs_first_and_no_more_rows_than_it_may() -> None:
    ready = [Waiting(name) for name in "abcde"]
    assert names(next_batch(ready, 3, LANES)) == ["a", "b", "c"]
    assert names(next_batch(ready, 100, LANES)) == ["a", "b", "c", "d", "e"]


def test_rows_are_counted_and_not_jobs() -> None:
    ready = [Waiting("a", rows=3), Waiting("b", rows=3), Waiting("c", rows=2), Waiting("d", rows=1)]
    assert names(next_batch(ready, 8, LANES)) == ["a", "b", "c"]


def test_a_job_that_does_not_fit_is_passed_over_for_one_that_does_and_runs_next() -> None:
    ready = [Waiting("a", rows=3), Waiting("wide", rows=6), Waiting("c", rows=2)]
    assert names(next_batch(ready, 5, LANES)) == ["a", "c"]
    assert names(next_batch(ready[1:2], 5, LANES)) == ["wide"]


def test_a_job_larger_than_a_batch_runs_alone() -> None:
    ready = [Waiting("wide", rows=9), Waiting("b")]
    assert names(next_batch(ready, 8, LANES)) == ["wide"]


def test_jobs_of_another_group_wait_for_a_batch_of_their_own() -> None:
    ready = [Waiting("a"), Waiting("b", group="ints"), Waiting("c"), Waiting("d", group="ints")]
    assert names(next_batch(ready, 8, LANES)) == ["a", "c"]
    assert names(next_batch([ready[1], ready[3]], 8, LANES)) == ["b", "d"]


def test_jobs_without_a_group_run_alone_even_beside_their_like() -> None:
    ready = [Waiting("a", group=None), Waiting("b", group=None), Waiting("c")]
    assert names(next_batch(ready, 8, LANES)) == ["a"]
    assert names(next_batch([ready[2], *ready[:2]], 8, LANES)) == ["c"]


def test_bulk_jobs_run_only_when_no_interactive_job_is_ready() -> None:
    ready = [bulk("a"), bulk("b"), Waiting("c"), bulk("d")]
    assert names(next_batch(ready, 8, LANES)) == ["c"]
    assert names(next_batch([job for job in ready if job.name != "c"], 8, LANES)) == ["a", "b", "d"]


def test_no_batch_is_made_of_a_lane_that_may_not_run() -> None:
    assert next_batch([bulk("a")], 8, (Lane.INTERACTIVE,)) == []


@pytest.mark.parametrize(
    ("interactive_waits", "bulk_is_due", "lanes"),
    [
        (False, False, LANES),
        (True, False, (Lane.INTERACTIVE,)),
        (False, True, BULK_IS_DUE),
        (True, True, BULK_IS_DUE),
    ],
)
def test_bulk_jobs_may_run_when_no_interactive_one_waits_or_when_they_are_due(
    interactive_waits: bool, bulk_is_due: bool, lanes: tuple[Lane, ...]
) -> None:
    assert runnable_lanes(interactive_waits, bulk_is_due) == lanes


def test_bulk_jobs_that_are_due_run_before_interactive_ones_and_without_them() -> None:
    ready = [Waiting("a"), bulk("b"), Waiting("c"), bulk("d")]
    assert names(next_batch(ready, 8, BULK_IS_DUE)) == ["b", "d"]
    assert names(next_batch([ready[0], ready[2]], 8, BULK_IS_DUE)) == ["a", "c"]


def test_no_job_is_left_behind_or_run_twice_when_batches_are_taken_until_none_is_ready() -> None:
    ready = [
        Waiting(str(number), list(Lane)[number % 2], rows=number % 7 + 1, group=[None, "floats", "ints"][number % 3])
        for number in range(100)
    ]
    left, run = list(ready), []
    while left:
        batch = next_batch(left, 8, LANES if len(run) % 2 else BULK_IS_DUE)
        assert batch and (len(batch) == 1 or sum(job.rows for job in batch) <= 8)
        run += batch
        left = [job for job in left if job not in batch]
    assert sorted(names(run)) == sorted(names(ready))


def test_without_a_wait_a_batch_is_taken_as_it_is() -> None:
    assert wait_s([Waiting("a", ready_s=10.0)], 8, max_wait_s=0.0, now_s=10.0) == 0.0


def test_a_batch_waits_for_more_rows_from_the_time_that_its_first_job_was_ready() -> None:
    ready = [Waiting("a", ready_s=10.5), Waiting("b", ready_s=10.0)]
    assert wait_s(ready, 8, max_wait_s=2.0, now_s=10.5) == pytest.approx(1.5)
    assert wait_s(ready, 8, max_wait_s=2.0, now_s=13.0) == 0.0


def test_a_full_batch_does_not_wait() -> None:
    ready = [Waiting("a", rows=3, ready_s=10.0), Waiting("b", rows=5, ready_s=10.0)]
    assert wait_s(ready, 8, max_wait_s=2.0, now_s=10.0) == 0.0
    assert wait_s([], 8, max_wait_s=2.0, now_s=10.0) == 0.0


def test_messages_are_claimed_for_two_batches_and_no_more() -> None:
    assert messages_wanted(rows_held=0, rows_a_job=1.0, max_rows=32) == 64
    assert messages_wanted(rows_held=40, rows_a_job=1.0, max_rows=32) == 24
    assert messages_wanted(rows_held=64, rows_a_job=1.0, max_rows=32) == 0
    assert messages_wanted(rows_held=1000, rows_a_job=1.0, max_rows=32) == 0


def test_fewer_messages_are_claimed_when_jobs_have_many_rows() -> None:
    assert messages_wanted(rows_held=0, rows_a_job=8.0, max_rows=32) == 8
    assert messages_wanted(rows_held=0, rows_a_job=0.5, max_rows=32) == 64


@pytest.mark.parametrize("rows_a_job", [1.0, 4.1, 8.0, 5000.0])
@pytest.mark.parametrize("max_rows", [1, 2, 512])
def test_a_worker_that_holds_nothing_always_claims(rows_a_job: float, max_rows: int) -> None:
    assert messages_wanted(rows_held=0, rows_a_job=rows_a_job, max_rows=max_rows) >= 1


def test_a_worker_of_jobs_larger_than_a_batch_keeps_the_next_one_ready() -> None:
    # Given a worker that runs one job of 8 rows, and holds none
    assert messages_wanted(rows_held=0, rows_a_job=8.0, max_rows=1) == 1
    # When it holds one, then that is enough
    assert messages_wanted(rows_held=8, rows_a_job=8.0, max_rows=1) == 0


def test_a_second_batch_begins_beside_the_first_only_when_it_is_full() -> None:
    ready = [Waiting(name, rows=2) for name in "abc"]
    assert may_begin(ready, running=0, max_rows=100)
    assert [may_begin(ready, running=1, max_rows=rows) for rows in (12, 13)] == [True, False]
    assert not may_begin([], running=0, max_rows=1)


def test_nothing_runs_beside_a_job_that_may_kill_its_worker() -> None:
    suspect, others = [Waiting("suspect", is_suspect=True, group=None)], [Waiting("a"), Waiting("b")]
    assert may_run_beside(suspect, []) and may_run_beside(others, [])
    assert may_run_beside(others, [*others, *others])
    assert not may_run_beside(suspect, others)
    assert not may_run_beside(others, [*others, *suspect])
