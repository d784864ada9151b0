from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import pytest

from model_store.errors import OutOfMemory, PredictError
from model_store.rows.uneven import Part
from tasks.batching.compute import Computed, Computer
from tasks.batching.rows import Arrays


class Doubling:
    """A model: y = 2x. It fails on some values, and its memory takes so many rows at most.

    Attributes:
        calls: The rows of each call.
    """

    def __init__(self, bad: Collection[float] = (), memory_rows: int = 1_000_000, too_large: Collection[float] = ()):
        self.calls: list[int] = []
        self._bad = list(bad)
        self._too_large = list(too_large)
        self._memory_rows = memory_rows

    def predict(self, inputs: Arrays, signature: str) -> Arrays:
        x = inputs["x"]
        self.calls.append(len(x))
        if len(x) > self._memory_rows or np.isin(x, self._too_large).any():
            raise OutOfMemory("The memory does not suffice.")
        if np.isin(x, self._bad).any():
            raise PredictError("This cannot be doubled.")
        return {"y": x * 2}


def one_row_jobs(count: int) -> list[Arrays]:
    return [{"x": np.array([[float(number)]])} for number in range(count)]


def run(model: Doubling, jobs: Sequence[Arrays], max_rows: int = 64) -> tuple[Computer, list[Computed]]:
    computer = Computer(model.predict, max_rows, takes_many_rows=lambda signature: True)
    return computer, computer.run(jobs, [len(job["x"]) for job in jobs])


def assert_doubled(job: Arrays, computed: Computed) -> None:
    assert not isinstance(computed, Exception), computed
    np.testing.assert_array_equal(computed["y"], job["x"] * 2)


def test_a_batch_is_one_call_and_each_job_gets_its_own_rows() -> None:
    model = Doubling()
    jobs = [{"x": np.full((rows, 1), rows)} for rows in (1, 3, 2)]
    _, computed = run(model, jobs)
    assert model.calls == [6]
    for job, answer in zip(jobs, computed, strict=True):
        assert_doubled(job, answer)


@pytest.mark.parametrize("culprit", [0, 1, 15, 16, 31])
def test_the_job_at_fault_among_32_is_found_with_few_calls_and_the_others_succeed(culprit: int) -> None:
    model, jobs = Doubling(bad=[culprit]), one_row_jobs(32)
    computer, computed = run(model, jobs)
    assert isinstance(computed[culprit], PredictError)
    for number in set(range(32)) - {culprit}:
        assert_doubled(jobs[number], computed[number])
    assert len(model.calls) == 1 + 2 * math.log2(32)
    assert computer.max_rows == 64


def test_several_jobs_at_fault_fail_each_with_its_own_error() -> None:
    jobs = one_row_jobs(16)
    _, computed = run(Doubling(bad=[3, 4, 12]), jobs)
    failed = [number for number, answer in enumerate(computed) if isinstance(answer, PredictError)]
    assert failed == [3, 4, 12]
    assert len({id(computed[number]) for number in failed}) == 3


def test_any_error_is_the_jobs_and_not_the_batches() -> None:
    def predict(inputs: Arrays, signature: str) -> Arrays:
        if 1.0 in inputs["x"]:
            raise ZeroDivisionError("a bug in a layer")
        return inputs

    computed = Computer(predict, 8, takes_many_rows=lambda signature: True).run(one_row_jobs(4), [1] * 4)
    assert [type(answer) for answer in computed] == [dict, ZeroDivisionError, dict, dict]


def test_jobs_that_cannot_be_joined_run_one_by_one() -> None:
    jobs = [{"x": np.zeros((1, 2))}, {"x": np.zeros((1, 3))}]
    _, computed = run(Doubling(), jobs)
    for job, answer in zip(jobs, computed, strict=True):
        assert_doubled(job, answer)


def test_a_batch_beyond_the_memory_is_halved_until_it_fits_and_the_size_is_remembered() -> None:
    model, jobs = Doubling(memory_rows=10), one_row_jobs(64)
    computer, computed = run(model, jobs)
    for job, answer in zip(jobs, computed, strict=True):
        assert_doubled(job, answer)
    assert computer.max_rows == 8
    assert set(model.calls) == {64, 32, 16, 8}


@pytest.mark.parametrize("error", [OutOfMemory("the device's"), MemoryError()])
def test_the_memory_of_the_device_and_of_the_process_are_alike(error: Exception) -> None:
    def predict(inputs: Arrays, signature: str) -> Arrays:
        if len(inputs["x"]) > 2:
            raise error
        return inputs

    computer = Computer(predict, 8, takes_many_rows=lambda signature: True)
    assert all(isinstance(answer, dict) for answer in computer.run(one_row_jobs(8), [1] * 8))
    assert computer.max_rows == 2


def test_what_was_remembered_never_grows() -> None:
    model = Doubling(memory_rows=4)
    computer, _ = run(model, one_row_jobs(16))
    assert computer.max_rows == 4
    computer.run([{"x": np.zeros((100, 1))}], [100])
    assert computer.max_rows <= 4


def test_a_job_of_many_rows_beyond_the_memory_is_computed_in_parts() -> None:
    model = Doubling(memory_rows=30)
    job = {"x": np.arange(101.0).reshape(101, 1)}
    _, [answer] = run(model, [job])
    assert_doubled(job, answer)
    assert sum(calls for calls in model.calls if calls <= 30) == 101


def test_a_job_of_many_rows_with_a_bad_one_fails_as_a_whole() -> None:
    _, [answer] = run(Doubling(memory_rows=4, bad=[9.0]), [{"x": np.arange(16.0).reshape(16, 1)}])
    assert isinstance(answer, PredictError)


def test_a_row_that_is_beyond_the_memory_fails_its_job_alone() -> None:
    jobs = one_row_jobs(32)
    _, computed = run(Doubling(too_large=[7.0]), jobs)
    assert isinstance(computed.pop(7), OutOfMemory)
    for job, answer in zip(jobs[:7] + jobs[8:], computed, strict=True):
        assert_doubled(job, answer)


def test_a_row_that_is_beyond_the_memory_does_not_make_later_batches_smaller() -> None:
    """No batch size would have helped it, so it says nothing of the others."""
    computer, _ = run(Doubling(too_large=[7.0]), one_row_jobs(32))
    assert computer.max_rows == 64


def test_the_rows_of_a_model_that_does_not_take_any_number_stay_together() -> None:
    model = Doubling(memory_rows=4)
    computer = Computer(model.predict, 8, takes_many_rows=lambda signature: False)
    [answer] = computer.run([{"x": np.zeros((8, 1))}], [8])
    assert isinstance(answer, OutOfMemory)
    assert model.calls == [8]


def test_the_parts_of_a_job_are_computed_one_after_the_other_and_halved_where_the_memory_asks_for_it() -> None:
    model = Doubling(memory_rows=2)
    computer = Computer(model.predict, 8, takes_many_rows=lambda signature: True)
    parts = [Part({"x": np.ones((3, 2))}, (0, 2, 3)), Part({"x": np.full((1, 5), 4.0)}, (1,))]
    computed = computer.run_parts(parts, "")
    assert isinstance(computed, list)
    assert [outputs["y"].tolist() for outputs in computed] == [[[2.0, 2.0]] * 3, [[8.0] * 5]]
    assert model.calls == [3, 1, 2, 1]


def test_the_first_part_that_fails_is_the_jobs_error_and_no_more_are_computed() -> None:
    model = Doubling(bad=[4.0])
    sizes = enumerate([(1, 1.0), (2, 4.0), (3, 1.0)])
    parts = [Part({"x": np.full((1, size), value)}, (row,)) for row, (size, value) in sizes]
    assert isinstance(
        Computer(model.predict, 8, takes_many_rows=lambda signature: True).run_parts(parts, ""), PredictError
    )
    assert model.calls == [1, 1]
