from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from model_store.versions import aims, drawn_label, number_for, reached, to_load

NONE: dict[str, int] = {}


def test_latest_is_the_newest_that_has_not_failed() -> None:
    assert aims([1, 2, 10], [], NONE, NONE) == {"latest": 10}
    assert aims([1, 2, 10], [10], NONE, NONE) == {"latest": 2}
    assert aims([1], [1], NONE, NONE) == NONE


def test_what_has_vanished_stays_latest_until_another_is_there() -> None:
    assert aims([], [], NONE, {"latest": 4}) == {"latest": 4}
    assert aims([3], [3], NONE, {"latest": 4}) == {"latest": 4}
    aimed = aims([3], [], NONE, {"latest": 4})
    assert reached(aimed, {4}, {"latest": 4}) == {"latest": 4}
    assert reached(aimed, {3, 4}, {"latest": 4}) == {"latest": 3}


def test_a_label_keeps_its_version_until_the_next_one_is_loaded() -> None:
    aimed = aims([3, 4], [], {"stable": 4}, NONE)
    served = {"latest": 3, "stable": 3}
    assert reached(aimed, {3}, served) == served
    assert reached(aimed, {3, 4}, served) == {"latest": 4, "stable": 4}


def test_a_new_label_without_a_loaded_version_is_not_served_nor_one_that_was_taken_out() -> None:
    aimed = aims([3], [], {"canary": 7}, NONE)
    assert reached(aimed, {3}, {"latest": 3, "stable": 3}) == {"latest": 3}


def test_what_jobs_get_by_default_is_loaded_first_and_nothing_twice() -> None:
    found = [1, 2, 3, 4]
    assert to_load(aims(found, [], NONE, NONE), set(), [], found) == [4]
    aimed = aims(found, [], {"stable": 2, "canary": 4, "old": 1}, NONE)
    assert to_load(aimed, set(), [], found) == [2, 4, 1]
    assert to_load(aimed, {2}, [1], found) == [4]


def test_what_is_not_in_the_store_is_not_loaded() -> None:
    assert to_load({"latest": 3, "stable": 9}, set(), [], [3]) == [3]


@pytest.mark.parametrize(
    "job, number",
    [
        ({}, 3),
        ({"is_pinned": True}, 1),
        ({"label": "canary"}, 4),
        ({"label": "canary", "is_pinned": True}, 4),
        ({"label": "gone"}, 3),
        ({"label": "gone", "is_pinned": True}, 1),
    ],
    ids=["names none", "names a number", "drawn", "names a label", "drawn, label gone", "names a label, gone"],
)
def test_a_job_gets_what_it_named_else_what_is_served_now(job: dict[str, Any], number: int) -> None:
    asked = {"label": "", "is_pinned": False, **job}
    assert number_for({"latest": 4, "stable": 3, "canary": 4}, 1, **asked) == number


def test_without_stable_a_job_gets_the_latest() -> None:
    assert number_for({"latest": 4, "canary": 5}, 1, "", is_pinned=False) == 4


def test_each_label_is_drawn_as_often_as_its_share_says() -> None:
    shares = {"canary": 0.1, "other": 0.25}
    drawn = Counter(drawn_label(shares, ["latest", "canary", "other"], step / 1000) for step in range(1000))
    assert drawn == {"canary": 100, "other": 250, "": 650}


def test_nobody_is_drawn_for_a_label_that_is_not_served_nor_for_no_share() -> None:
    draws = [step / 100 for step in range(100)]
    assert {drawn_label({"canary": 1.0}, ["latest"], draw) for draw in draws} == {""}
    assert {drawn_label({"canary": 0.0}, ["canary"], draw) for draw in draws} == {""}
    assert {drawn_label({"canary": 1.0}, ["canary"], draw) for draw in draws} == {"canary"}
