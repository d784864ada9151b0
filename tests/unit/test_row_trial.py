from __future__ import annotations

import numpy as np
import pytest

from model_store.errors import PredictError
from model_store.rows.trial import Arrays, Run, gives_the_same, row_outputs, rows_are_their_own

MIXED = {"y": np.array([[1.0, 2.0], [3.0, 4.0]])}


def alone(first: list[list[float]], last: list[list[float]]) -> dict[int, dict[str, np.ndarray]]:
    return {0: {"y": np.array(first)}, 1: {"y": np.array(last)}}


def test_rows_that_give_the_same_beside_any_others_are_their_own() -> None:
    assert rows_are_their_own(MIXED, alone([[1, 2], [1, 2.00001]], [[3, 4], [3, 4]]))


def test_one_row_that_differs_in_one_place_is_enough_to_show_that_rows_are_not_their_own() -> None:
    assert not rows_are_their_own(MIXED, alone([[1, 2], [1, 2]], [[3, 4], [3, 5]]))
    assert not rows_are_their_own(MIXED, alone([[1, 2], [0, 2]], [[3, 4], [3, 4]]))


def test_rows_of_another_shape_are_not_their_own() -> None:
    assert not rows_are_their_own(MIXED, alone([[1], [1]], [[3, 4], [3, 4]]))


def test_outputs_that_are_alike_in_all_rows_show_nothing() -> None:
    same = {"y": np.array(["cat", "cat"])}
    assert not rows_are_their_own(same, {0: same, 1: same})


def doubled(inputs: Arrays) -> Arrays:
    return {"y": 2 * inputs["x"]}


def with_neighbours(inputs: Arrays) -> Arrays:
    return {"y": 2 * inputs["x"] + (len(inputs["x"]) > 1) * inputs["x"].mean(axis=0)}


def one_more(inputs: Arrays) -> Arrays:
    return {"y": np.repeat(2 * inputs["x"], [2] + [1] * (len(inputs["x"]) - 1), axis=0)}


def in_reverse(inputs: Arrays) -> Arrays:
    return {"y": 2 * inputs["x"][::-1]}


def failing(inputs: Arrays) -> Arrays:
    raise PredictError("It cannot.")


def of_no_use(inputs: Arrays) -> Arrays:
    return {"y": np.ones((len(inputs["x"]), 1))}


@pytest.mark.parametrize(
    ("run", "other", "is_same"),
    [
        *((doubled, doubled, True), (doubled, with_neighbours, False), (doubled, one_more, False)),
        *((doubled, in_reverse, False), (doubled, failing, False), (failing, doubled, False)),
        (of_no_use, of_no_use, False),
    ],
)
@pytest.mark.parametrize("fixed_rows", [1, 4])
def test_another_way_for_any_number_of_rows_must_give_each_row_the_same(
    run: Run, other: Run, is_same: bool, fixed_rows: int
) -> None:
    inputs = {"x": np.zeros((fixed_rows, 3), "float32")}
    assert gives_the_same(run, other, frozenset({"x"}), fixed_rows, inputs) == is_same


def test_rows_are_not_their_own_where_a_model_looks_whether_any_of_them_are_pixels() -> None:
    def as_fractions(inputs: Arrays) -> Arrays:
        return {"y": inputs["x"] / (255.0 if inputs["x"].max() > 1.0 else 1.0)}

    inputs = {"x": np.zeros((1, 3), "float32")}
    assert not gives_the_same(as_fractions, as_fractions, frozenset({"x"}), 1, inputs)


def test_an_output_follows_the_rows_where_it_has_one_for_one_and_two_for_two() -> None:
    one = {"y": np.zeros((1, 3)), "mean": np.zeros(()), "pair": np.zeros(2)}
    two = {"y": np.zeros((2, 3)), "mean": np.zeros(()), "pair": np.zeros(2)}
    assert row_outputs(one, two) == {"y"}
