from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.callbacks.callback import CallbackStatus
from tasks.callbacks.schedule import LONGEST_PAUSE_S, Answer, Schedule, Verdict, retry_after_s

SCHEDULE = Schedule(attempts=9, first_pause_s=5)
#: Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples.
THEN_S = 784_111_777.0


def verdict(answer: Answer | None, tries: int = 1, chance: float = 0.0) -> Verdict:
    return SCHEDULE.verdict(answer, tries, THEN_S, chance)


@pytest.mark.parametrize("status_code", [200, 201, 202, 204, 299])
def test_any_2xx_is_accepted(status_code: int) -> None:
    assert verdict(Answer(status_code), tries=9) == Verdict(CallbackStatus.ACCEPTED)


@pytest.mark.parametrize("answer", [None, *(Answer(code) for code in (101, 301, 307, 400, 404, 429, 500, 503))])
def test_whatever_else_is_tried_again_until_the_attempts_are_used_up(answer: Answer | None) -> None:
    assert [verdict(answer, tries).status for tries in (1, 8)] == [CallbackStatus.DUE] * 2
    assert verdict(answer, 9) == verdict(answer, 10) == Verdict(CallbackStatus.GIVEN_UP)


def test_410_ends_it_at_once() -> None:
    assert verdict(Answer(410)) == Verdict(CallbackStatus.GIVEN_UP)


def test_the_pauses_grow_fourfold_to_four_hours_and_chance_adds_up_to_a_quarter() -> None:
    pauses = [verdict(None, tries).pause_s for tries in range(1, 9)]
    assert pauses == [5, 20, 80, 320, 1280, 5120, 14_400, 14_400]
    assert all(verdict(None, tries, 1.0).pause_s == pause * 1.25 for tries, pause in enumerate(pauses, 1))
    assert Schedule(1000, 5).verdict(None, 999, THEN_S, 0.0).pause_s == LONGEST_PAUSE_S


@pytest.mark.parametrize(
    ("text", "pause_s"),
    [
        ("120", 120),
        ("Sun, 06 Nov 1994 08:59:37 GMT", 600),
        ("Sunday, 06-Nov-94 08:59:37 GMT", 600),
        # No sooner than without it, and no later than the longest pause.
        ("1", 5),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 5),
        ("999999999", LONGEST_PAUSE_S),
        ("soon", 5),
        ("-1", 5),
    ],
)
def test_what_the_receiver_asks_for_is_heeded_within_reason(text: str, pause_s: float) -> None:
    assert verdict(Answer(503, text)).pause_s == pause_s


def test_pauses_never_shrink() -> None:
    assert all(first <= second for first, second in pairwise(verdict(None, n).pause_s for n in range(1, 9)))


@given(st.text(max_size=60))
def test_whatever_a_receiver_writes_there_is_read_or_passed_over(text: str) -> None:
    assert retry_after_s(text, THEN_S) >= 0
