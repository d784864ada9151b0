"""When two ways of running a model are said to give the same answers."""

from __future__ import annotations

import numpy as np
import pytest

from model_store.tuning.tolerance import TOLERANCES, compare, largest_difference

SCORES = np.array([[0.7, 0.2, 0.1], [1e-9, 1.0, 0.0]], np.float32)


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_floats_may_differ_within_the_tolerance_of_their_dtype(dtype: str) -> None:
    expected = np.array([1.0, 2.0, 4.0], dtype)
    tolerance = TOLERANCES[dtype]
    near, far = expected * (1 + tolerance / 2), expected * (1 + 10 * tolerance)
    assert compare({"y": expected}, {"y": near.astype(dtype)}).fault is None
    fault = compare({"y": expected}, {"y": far.astype(dtype)}).fault
    assert fault is not None
    assert "gives y with a difference of" in fault


@pytest.mark.parametrize("expected", [np.array([1, 2]), np.array([True, False]), np.array(["a", "b"])])
def test_whole_numbers_and_text_must_be_equal(expected: np.ndarray) -> None:
    assert compare({"y": expected}, {"y": expected.copy()}).fault is None
    fault = compare({"y": expected}, {"y": expected[::-1].copy()}).fault
    assert fault is not None
    assert "other values of y" in fault


def test_a_difference_is_measured_against_the_output_as_a_whole_so_that_its_smallest_elements_do_not_decide() -> None:
    off = SCORES.copy()
    off[1, 0] = 3e-9
    assert largest_difference(SCORES, off) < 1e-8
    off[0, 0] = 0.71
    assert largest_difference(SCORES, off) == pytest.approx(0.01 / (0.7 + SCORES.mean()), rel=1e-3)


def test_the_largest_difference_over_all_outputs_is_told() -> None:
    expected = {"a": SCORES, "b": np.ones(2, np.float32)}
    got = {"a": SCORES, "b": np.array([1, 1 + 1e-5], np.float32)}
    assert compare(expected, got).difference == pytest.approx(5e-6, rel=0.1)


def test_what_is_no_number_must_be_so_in_both() -> None:
    expected = np.array([np.nan, np.inf, 1.0], np.float32)
    assert largest_difference(expected, expected.copy()) == 0
    assert largest_difference(expected, np.array([np.nan, -np.inf, 1.0], np.float32)) == np.inf
    assert largest_difference(expected, np.array([np.nan, np.inf, np.nan], np.float32)) == np.inf


def test_zeros_must_stay_zeros() -> None:
    assert largest_difference(np.zeros(3, np.float32), np.array([0, 0, 1e-30], np.float32)) == np.inf


def test_an_output_without_elements_does_not_differ() -> None:
    assert largest_difference(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)) == 0


def test_another_shape_or_kind_is_told() -> None:
    fault = compare({"y": SCORES}, {"y": SCORES[:1]}).fault
    assert fault == "gives y as float32 (1, 3), not as float32 (2, 3)"
    fault = compare({"y": SCORES}, {"y": SCORES.astype(np.int32)}).fault
    assert fault == "gives y as int32 (2, 3), not as float32 (2, 3)"
