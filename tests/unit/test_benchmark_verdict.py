"""The benchmark's verdicts: ratios, targets, answers and growth."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.verdict import (
    GROWTH_FLOOR_BYTES,
    Measure,
    RowResult,
    Samples,
    best_of_each,
    ratios,
    second_half_growth_bytes,
    wrong_answers,
)


def samples(*values: float) -> Samples:
    return Samples("×", values, digits=2)


def test_ratios_are_taken_pair_by_pair() -> None:
    found = ratios([10.0, 30.0, 80.0], [1.0, 2.0, 20.0])

    assert found.values == (10.0, 15.0, 4.0)
    assert (found.median, found.low, found.high) == (10.0, 4.0, 15.0)
    assert str(found) == "10.00 × (4.00 to 15.00)"


def test_ratios_refuse_pairs_that_lack_a_half() -> None:
    with pytest.raises(ValueError):
        ratios([1.0, 2.0], [1.0])


def test_the_best_rival_is_found_in_each_round() -> None:
    assert best_of_each([[1.0, 5.0], [3.0, 2.0]]) == [3.0, 5.0]


@pytest.mark.parametrize(
    ("values", "reached"),
    [
        ((9.0, 9.5, 10.0), True),
        ((7.0, 7.5, 8.1), True),  # the median is below, but the target lies within the spread
        ((7.0, 7.5, 7.9), False),
    ],
)
def test_a_least_figure_is_reached_unless_all_samples_are_below(values: tuple[float, ...], reached: bool) -> None:
    assert Measure("", samples(*values), at_least=8).reached is reached


@pytest.mark.parametrize(
    ("values", "reached"),
    [
        ((0.1, 0.2, 0.3), True),
        ((0.3, 0.4, 0.5), True),
        ((0.34, 0.4, 0.5), False),
    ],
)
def test_a_greatest_figure_is_reached_unless_all_samples_are_above(values: tuple[float, ...], reached: bool) -> None:
    assert Measure("", samples(*values), at_most=0.33).reached is reached


def test_a_row_is_reached_only_with_all_its_measures() -> None:
    good, bad = Measure("good", samples(9), at_least=8), Measure("bad", samples(1), at_most=0.5)

    assert RowResult("row", (good,), "all").reached
    assert not RowResult("row", (good, bad), "all").reached


def test_a_row_without_a_figure_is_not_reached() -> None:
    row = RowResult("row", (), "all", skipped={"plain Celery": "no such package"})

    assert not row.reached
    assert row.figure == "not measured"


def test_the_json_of_a_row_has_the_four_fields_of_the_table() -> None:
    document = RowResult("drain-tiny", (Measure("plain Celery", samples(9), at_least=8),), "all").to_json()

    assert {name: document[name] for name in ("row", "figure", "target", "reached")} == {
        "row": "drain-tiny",
        "figure": "9.00 × (9.00 to 9.00) plain Celery",
        "target": "at least 8 × plain Celery",
        "reached": True,
    }


def test_answers_are_held_against_the_inputs_in_turn() -> None:
    expected = np.array([[1.0, 2.0], [3.0, 4.0]])
    answers = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0 + 1e-6]])

    assert wrong_answers(expected, answers) == 0


def test_each_wrong_answer_counts_once() -> None:
    expected = np.array([[1.0, 2.0], [3.0, 4.0]])
    answers = np.array([[3.0, 4.0], [3.0, 4.0], [1.0, np.nan]])

    assert wrong_answers(expected, answers) == 2


def test_answers_of_another_shape_are_all_wrong() -> None:
    assert wrong_answers(np.zeros((2, 10)), np.zeros((5, 9))) == 5


def test_memory_that_grows_with_each_job_shows_in_the_second_half() -> None:
    jobs = np.linspace(20_000, 200_000, 61)
    noise = np.random.default_rng(1).normal(0, 100_000, 61)

    growth, tolerance = second_half_growth_bytes(jobs, 500e6 + 100 * jobs + noise)

    assert growth == pytest.approx(9e6, rel=0.1)
    assert growth > tolerance


def test_memory_that_grew_only_at_first_shows_no_growth() -> None:
    jobs = np.linspace(20_000, 200_000, 61)
    memory_bytes = 500e6 + 50e6 * np.minimum(1, jobs / 80_000)

    growth, tolerance = second_half_growth_bytes(jobs, memory_bytes)

    assert abs(growth) < tolerance == GROWTH_FLOOR_BYTES


def test_memory_that_goes_up_and_down_is_judged_by_how_much_it_does() -> None:
    jobs = np.linspace(20_000, 200_000, 61)
    memory_bytes = 500e6 + 20e6 * np.sin(np.arange(61))

    growth, tolerance = second_half_growth_bytes(jobs, memory_bytes)

    assert growth < tolerance
    assert tolerance > GROWTH_FLOOR_BYTES
