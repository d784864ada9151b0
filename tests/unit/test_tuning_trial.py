"""Variants are timed in turn, and only those that give the plain graph's answers."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from model_store.errors import PredictError
from model_store.tuning.trial import Arrays, Prepare, compare_at
from model_store.tuning.trial_rows import compared_rows


def computer(call_ms: float, answer: Callable[[int], float] = lambda rows: 1.0) -> Prepare:
    """Computes for so long, and gives an answer that the number of rows decides."""

    def prepare(rows: int) -> Callable[[], Arrays]:
        def call() -> Arrays:
            until_s = perf_counter() + call_ms / 1000
            while perf_counter() < until_s:
                pass
            return {"y": np.full(rows, answer(rows), np.float32)}

        return call

    return prepare


def failing(rows: int) -> Callable[[], Arrays]:
    def call() -> Arrays:
        raise PredictError("no such operation")

    return call


def test_each_variant_is_timed_and_its_difference_told() -> None:
    variants = {"plain": computer(2), "folded": computer(1, lambda rows: 1 + 1e-5), "direct": computer(3)}
    compared = compare_at(4, variants, lambda: 1.0)
    assert set(compared.trials) == set(variants)
    assert 2 <= compared.trials["plain"].call_ms < 3 <= compared.trials["direct"].call_ms
    assert 1 <= compared.trials["folded"].call_ms < 2
    assert 1e-6 < compared.trials["folded"].difference < 1e-4
    assert all(trial.rows == 4 for trial in compared.trials.values())


def test_a_variant_that_differs_is_out_and_is_not_timed() -> None:
    compared = compare_at(4, {"plain": computer(0), "folded": computer(0, lambda rows: 1.1)}, lambda: 1.0)
    assert set(compared.trials) == {"plain"}
    assert compared.faults == {"folded": "gives y with a difference of 0.05, above 0.0001, for 4 rows"}
    assert compared.differing == ["folded"]


def test_a_variant_that_cannot_run_is_out_without_having_differed() -> None:
    compared = compare_at(4, {"plain": computer(0), "xla": failing}, lambda: 1.0)
    assert compared.faults == {"xla": "cannot be run so: no such operation"}
    assert compared.differing == []


def test_where_the_plain_graph_itself_gives_other_answers_each_time_nothing_can_be_compared() -> None:
    random = np.random.default_rng(1)
    variants = {"plain": computer(0, lambda rows: random.random()), "folded": computer(0)}
    compared = compare_at(4, variants, lambda: 1.0)
    assert not compared.trials
    assert set(compared.faults) == {"plain", "folded"}
    assert "other answers each time" in compared.faults["folded"]


def test_where_the_plain_graph_fails_others_are_not_blamed() -> None:
    compared = compare_at(4, {"plain": failing, "folded": computer(0)}, lambda: 1.0)
    assert set(compared.faults) == {"plain"}
    assert not compared.trials


def test_without_time_each_variant_is_timed_once_all_the_same() -> None:
    calls = []

    def prepare(rows: int) -> Callable[[], Arrays]:
        def call() -> Arrays:
            calls.append(rows)
            return computer(300)(rows)()

        return call

    compared = compare_at(1, {"plain": prepare}, lambda: -1.0)
    assert compared.trials["plain"].call_ms >= 300
    assert len(calls) == 3


def test_rows_are_compared_in_several_scales_and_all_differ() -> None:
    inputs = {"x": np.zeros((1, 50), np.float32), "threshold": np.float32(0.5).reshape(())}
    rows = compared_rows(inputs, frozenset({"x"}), 10)
    assert rows["x"].shape == (10, 50)
    assert rows["x"].dtype == np.float32
    assert len(np.unique(rows["x"], axis=0)) == 10
    assert rows["x"].min() < -0.5
    assert rows["x"].max() > 100
    assert rows["threshold"] == 0.5


def test_whole_numbers_and_text_are_not_scaled() -> None:
    inputs = {"index": np.zeros((1, 5), np.int32), "text": np.full((1,), "", "U1")}
    rows = compared_rows(inputs, frozenset(inputs), 10)
    assert set(np.unique(rows["index"])) == {0, 1}
    assert len(np.unique(rows["text"])) > 1


def test_the_inputs_of_a_model_without_rows_vary_too() -> None:
    rows = compared_rows({"a": np.zeros((2, 3), np.float32), "b": np.zeros((4,), np.float32)}, frozenset(), 1)
    assert {name: array.shape for name, array in rows.items()} == {"a": (2, 3), "b": (4,)}
    assert all(len(np.unique(array)) > 1 for array in rows.values())
