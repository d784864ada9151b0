from __future__ import annotations

import numpy as np
import pytest

from tasks.batching.rows import Array, Arrays, count_rows, group_of, halves, join, split


def floats(rows: int, width: int = 3) -> Array:
    return np.arange(rows * width, dtype="float32").reshape(rows, width)


def strings(*texts: str) -> Arrays:
    return {"text": np.array(texts)}


def assert_same(got: Arrays, expected: Arrays) -> None:
    assert list(got) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array)


def test_joining_and_splitting_gives_each_job_its_own_rows_back() -> None:
    jobs = [{"a": floats(rows), "b": np.full((rows,), rows)} for rows in (1, 4, 2)]
    whole = join(jobs)
    assert (whole["a"].shape, whole["b"].tolist()) == ((7, 3), [1, 4, 4, 4, 4, 2, 2])
    for got, job in zip(split(whole, [1, 4, 2]), jobs, strict=True):
        assert_same(got, job)


def test_one_job_is_not_copied() -> None:
    job = {"a": floats(2)}
    assert join([job]) is job


def test_strings_of_all_lengths_are_joined_and_come_back_whole() -> None:
    whole = join([strings("a", "beta"), strings("äöü€")])
    first, second = split(whole, [2, 1])
    assert (first["text"].tolist(), second["text"].tolist()) == (["a", "beta"], ["äöü€"])


def test_a_job_does_not_get_strings_as_wide_as_its_neighbours_are() -> None:
    # Given outputs in which one job's string is wider than the others'
    parts = split(strings("ab", "", "x" * 1000), [1, 1, 1])
    # Then each has the dtype that it would have alone
    assert [part["text"].dtype.str[1:] for part in parts] == ["U2", "U1", "U1000"]


def test_strings_of_very_different_lengths_do_not_share_a_batch() -> None:
    """numpy makes all rows as wide as the widest: one long string beside 500 short ones would be 500 long ones."""
    assert group_of(strings("a")) == group_of(strings("a sentence of several words"))
    assert group_of(strings("a")) != group_of(strings("x" * 100_000))
    assert group_of(strings("x" * 99_000)) == group_of(strings("x" * 100_000))


def test_jobs_share_a_batch_when_dtypes_and_shapes_of_rows_agree() -> None:
    assert group_of({"a": floats(1), "b": floats(1, 5)}) == group_of({"b": floats(9, 5), "a": floats(9)})


@pytest.mark.parametrize(
    "other",
    [
        {"a": floats(1, 4)},
        {"a": floats(1).astype("float64")},
        {"b": floats(1)},
        {"a": floats(1), "b": floats(1)},
        {"a": floats(1)[..., np.newaxis]},
    ],
)
def test_jobs_that_differ_in_anything_but_rows_do_not_share_a_batch(other: Arrays) -> None:
    assert group_of({"a": floats(1)}) != group_of(other)


def test_rows_are_those_of_the_inputs_that_have_rows() -> None:
    assert count_rows({"a": floats(4), "threshold": np.zeros(7)}, {"a"}) == 4
    assert count_rows({"a": floats(4), "b": floats(4, 1)}, {"a", "b"}) == 4


@pytest.mark.parametrize(
    "inputs", [{}, {"a": np.array(3.0)}, {"a": floats(2), "b": floats(3)}], ids=["none", "no axis", "disagree"]
)
def test_inputs_without_a_count_of_rows_count_as_one(inputs: Arrays) -> None:
    assert count_rows(inputs, {"a", "b"}) == 1


@pytest.mark.parametrize(
    "inputs",
    [{"a": floats(2), "b": floats(3)}, {"a": np.array(3.0)}, {"a": floats(0)}],
    ids=["disagree", "no axis", "no rows"],
)
def test_inputs_that_do_not_fit_together_run_alone(inputs: Arrays) -> None:
    """Two jobs with 2 and 3, and 3 and 2 rows would make one batch of 5, and each would get the other's answers."""
    assert group_of(inputs) is None


def test_jobs_are_cut_into_two_parts_of_about_as_many_rows() -> None:
    assert halves([1, 1]) == 1
    assert halves([1] * 32) == 16
    assert halves([8, 1, 1, 1]) == 1
    assert halves([1, 1, 1, 8]) == 3
    assert halves([0, 0]) == 1


@pytest.mark.parametrize("counts", [[1, 1], [1, 100], [100, 1], [0, 0, 0], [3, 1, 4, 1, 5]])
def test_a_cut_leaves_neither_part_empty(counts: list[int]) -> None:
    assert 1 <= halves(counts) <= len(counts) - 1


def test_jobs_for_different_signatures_do_not_share_a_batch() -> None:
    assert group_of({"a": floats(1)}, "classify") == group_of({"a": floats(9)}, "classify")
    assert group_of({"a": floats(1)}, "classify") != group_of({"a": floats(1)}, "embed")


def test_a_job_gets_text_as_text_whatever_bytes_its_neighbours_got() -> None:
    outputs = {"s": np.array([b"ab", b"\xff\0", b"c"], object)}
    text, other, third = (part["s"] for part in split(outputs, [1, 1, 1]))
    assert (text.tolist(), text.dtype.kind) == (["ab"], "U")
    assert (other.tolist(), other.dtype.kind) == ([b"\xff\0"], "O")
    assert third.tolist() == ["c"]
