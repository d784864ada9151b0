"""Any single thing that is wrong makes a storm fail, and its report names it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.storm import report
from benchmarks.storm.audit import Audit
from benchmarks.storm.course import Outcome
from benchmarks.storm.schedule import BROKER, Deed

CLEAN = Outcome(
    done=Counter({(Deed.KILL, BROKER): 2}),
    audit=Audit(),
    jobs=10,
    unasked=0,
    left={},
    unexpected={},
    lives=9,
    stubborn=1,
    retried=3,
    came_back=True,
)


def test_a_storm_with_which_nothing_is_wrong_is_clean() -> None:
    assert CLEAN.is_clean
    assert (report.document(CLEAN)["jobs"], report.document(CLEAN)["kills"]) == (10, 2)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"audit": Audit(lost=["a"])}, "lost               1  such as a"),
        ({"audit": Audit(conflicting=["a"])}, "conflicting        1  such as a"),
        ({"audit": Audit(non_terminal=["a"])}, "non terminal       1  such as a"),
        ({"audit": Audit(wrong=["a"])}, "wrong              1  such as a"),
        ({"audit": Audit(poison_missed=["a"])}, "poison missed      1  such as a"),
        ({"unasked": 1}, "unasked            1"),
        ({"unasked": -1}, "unasked           -1"),
        ({"left": {"unacked": 2}}, "2 in unacked"),
        ({"unexpected": {"POST: 500": 1}}, "1 times: POST: 500"),
        ({"came_back": False}, "All workers serve again: no."),
    ],
)
def test_each_fault_alone_makes_it_fail_and_is_told(fault: dict[str, Any], told: str) -> None:
    struck = replace(CLEAN, **fault)
    assert not struck.is_clean
    assert told in [line.strip() for line in report.lines(struck)]
    assert report.document(struck) != report.document(CLEAN)


def test_the_comparison_has_plain_celerys_figures_beside_ours_where_there_are_such() -> None:
    lines = report.comparison({"jobs": 1000, "lost": 0}, {"jobs": 2000, "lost": 3, "late": 1})
    assert [line.split() for line in lines[1:]] == [
        ["Celeriac", "plain", "Celery"],
        ["jobs", "1,000", "2,000"],
        ["lost", "0", "3"],
        ["late", "1"],
    ]
