from __future__ import annotations

import pytest

from api.prefer import Preferences, parse_prefer


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", Preferences(False, 0)),
        ("respond-async", Preferences(True, 0)),
        ("wait=10", Preferences(False, 10)),
        ("respond-async, wait=10", Preferences(True, 10)),
        ("wait=10,respond-async", Preferences(True, 10)),
        ("Respond-Async, WAIT=10", Preferences(True, 10)),
        ('wait="10"', Preferences(False, 10)),
        ("wait = 10", Preferences(False, 10)),
        ("wait=10; urgently=yes, respond-async; foo", Preferences(True, 10)),
        ("handling=lenient, wait=5, return=minimal", Preferences(False, 5)),
        ('note="a, wait=5", respond-async', Preferences(True, 0)),
        ("wait=5, wait=9", Preferences(False, 5)),
        ("wait=600", Preferences(False, 60)),
        ("wait=99999999999999999999", Preferences(False, 60)),
        ("wait", Preferences(False, 0)),
        ("wait=soon", Preferences(False, 0)),
        ("wait=-5", Preferences(False, 0)),
        ("wait=1.5", Preferences(False, 0)),
        ("wait=٣", Preferences(False, 0)),
        ("respond-asynchronously", Preferences(False, 0)),
        (",,;=,", Preferences(False, 0)),
    ],
)
def test_prefer_is_read_as_the_tokens_of_rfc_7240(header: str, expected: Preferences) -> None:
    assert parse_prefer(header, max_wait_s=60) == expected


def test_only_what_was_done_is_said_to_be_applied() -> None:
    assert Preferences(True, 10).applied(waited=True) == "respond-async, wait=10"
    assert Preferences(True, 10).applied(waited=False) == "respond-async"
    assert Preferences(False, 0).applied(waited=False) == ""
