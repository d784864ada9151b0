"""What all tests with made-up requests come to. Runs after them: files run in the order of their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzzing import Tally

ENOUGH = 10_000


def test_at_least_ten_thousand_requests_were_answered_and_never_by_a_failure_but_503(
    tally: Tally, request: pytest.FixtureRequest
) -> None:
    assert not {status for status in tally.answers if status >= 500} - {503}
    # Whoever selects some of the tests gets fewer requests.
    files = set(Path(__file__).parent.glob("test_fuzz_*.py"))
    is_whole = files <= {item.path for item in request.session.items} and not request.config.option.keyword
    assert tally.answers.total() >= ENOUGH or not is_whole, tally.answers
