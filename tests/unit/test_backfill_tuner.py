"""How many rows a job gets."""

from __future__ import annotations

import pytest

from client.backfill.tuner import HOLD_MS, SETTLED_JOBS, Bounds, Tuner


def run(tuner: Tuner, row_ms: float, job_ms: float, jobs: int, now_s: float = 0.0) -> float:
    """Jobs one after the other on a model that takes so long for a row, and a server for a job."""
    for _ in range(jobs):
        rows = tuner.rows
        now_s += (rows * row_ms + job_ms) / 1000
        tuner.ended(rows, rows * row_ms, now_s)
    return now_s


def test_jobs_grow_as_long_as_more_rows_at_once_are_faster() -> None:
    tuner = Tuner(Bounds(most_rows=8192, batch_rows=1024))
    run(tuner, row_ms=0.005, job_ms=4, jobs=300)
    assert tuner.rows == 8192


def test_where_rows_are_what_costs_jobs_stay_small() -> None:
    tuner = Tuner(Bounds(most_rows=8192, batch_rows=256))
    first = tuner.rows
    run(tuner, row_ms=0.2, job_ms=0.1, jobs=SETTLED_JOBS)
    assert tuner.rows == first


@pytest.mark.parametrize(("row_ms", "batch_rows"), [(0.05, 64), (0.5, 64), (30.0, 4), (800.0, 1)])
def test_a_job_beyond_a_batch_never_holds_the_model_for_long(row_ms: float, batch_rows: int) -> None:
    tuner = Tuner(Bounds(most_rows=8192, batch_rows=batch_rows))
    now_s = 0.0
    for _ in range(500):
        assert tuner.rows <= batch_rows or tuner.rows * row_ms <= HOLD_MS
        now_s = run(tuner, row_ms, job_ms=20, jobs=1, now_s=now_s)


def test_a_slow_first_call_of_a_size_does_not_end_the_growth() -> None:
    tuner = Tuner(Bounds(most_rows=8192, batch_rows=64))
    now_s, seen = 0.0, set()
    for _ in range(300):
        rows = tuner.rows
        compute_ms = rows * 0.002 if rows in seen else 900.0
        seen.add(rows)
        now_s += 0.004 + compute_ms / 1000
        tuner.ended(rows, compute_ms, now_s)
    assert tuner.rows == 8192


def test_a_size_that_was_not_better_is_tried_again_later() -> None:
    tuner = Tuner(Bounds(most_rows=2048, batch_rows=2048))
    now_s = run(tuner, row_ms=0.5, job_ms=0.1, jobs=50)
    small = tuner.rows
    run(tuner, row_ms=0.001, job_ms=4, jobs=2 * SETTLED_JOBS, now_s=now_s)
    assert tuner.rows > small


def test_after_a_job_that_was_too_large_jobs_are_smaller_and_larger_ones_tried_much_later() -> None:
    tuner = Tuner(Bounds(most_rows=8192, batch_rows=1024))
    now_s = run(tuner, row_ms=0.001, job_ms=4, jobs=300)
    tuner.too_large(8192)
    assert tuner.rows == 4096
    now_s = run(tuner, row_ms=0.001, job_ms=4, jobs=SETTLED_JOBS, now_s=now_s)
    assert tuner.rows == 4096
    run(tuner, row_ms=0.001, job_ms=4, jobs=10, now_s=now_s)
    assert tuner.rows == 8192


def test_one_row_is_never_too_large_for_a_job() -> None:
    tuner = Tuner(Bounds(most_rows=64, batch_rows=64))
    for _ in range(10):
        tuner.too_large(tuner.rows)
    assert tuner.rows == 1


def test_jobs_of_an_earlier_size_that_end_late_do_not_count() -> None:
    tuner = Tuner(Bounds(most_rows=8192, batch_rows=1024))
    run(tuner, row_ms=0.005, job_ms=4, jobs=300)
    for late in range(300):
        tuner.ended(32, 900.0, 1000.0 + late)
    assert tuner.rows == 8192
