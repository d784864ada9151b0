from __future__ import annotations

import numpy as np

from model_store.rows.batching import Batching
from model_store.rows.calls import divide, fit_together, join

ROWS = np.arange(10).reshape(5, 2)
CUT = np.array(0.5)
INPUTS = {"x": ROWS, "cut": CUT}
NAMES = frozenset({"x"})


def first_values(batching: Batching) -> list[list[int]]:
    """The first value of each row of each call."""
    calls = list(divide(INPUTS, NAMES, 5, batching))
    assert all(len(arrays["x"]) == rows and arrays["cut"] is CUT for rows, arrays in calls)
    return [arrays["x"][:, 0].tolist() for _, arrays in calls]


def test_rows_beyond_a_call_go_into_the_next() -> None:
    assert first_values(Batching(max_rows=2)) == [[0, 2], [4, 6], [8]]


def test_a_call_is_padded_with_its_own_rows() -> None:
    assert first_values(Batching(max_rows=4, sizes=(2, 4))) == [[0, 2, 4, 6], [8, 8]]
    assert first_values(Batching(max_rows=8, sizes=(8,))) == [[0, 2, 4, 6, 8, 0, 2, 4]]


def test_outputs_are_joined_and_what_was_padded_is_cut_off() -> None:
    parts = [{"y": np.array([1, 2])}, {"y": np.array([3, 3])}]
    assert fit_together(parts)
    assert join(parts, 3)["y"].tolist() == [1, 2, 3]
    assert join(parts[1:], 1)["y"].tolist() == [3]


def test_texts_of_different_lengths_are_joined_whole() -> None:
    assert join([{"y": np.array(["a"])}, {"y": np.array(["long"])}], 2)["y"].tolist() == ["a", "long"]


def test_outputs_of_different_widths_do_not_fit_together() -> None:
    assert not fit_together([{"y": np.zeros((2, 3))}, {"y": np.zeros((2, 4))}])
