"""What people are shown of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.backfill.progress import Lines, line
from client.backfill.summary import Summary, duration
from client.backfill.tally import Tally


def test_a_line_has_rows_done_failed_the_rate_the_time_left_and_what_is_queued() -> None:
    tally = Tally(total=1000, found_done=100, found_failed=2, began_s=0.0, rows_per_job=64)
    tally.rows_per_s(0.0)
    tally.done, tally.failed, tally.queued = 200, 8, 5
    assert line(tally, 2.0) == (
        "310 of 1,000 rows (31 %), 10 failed, 104 rows/s, 6.6 s left, 5 jobs queued, 64 rows a job"
    )


def test_the_rate_is_that_of_the_last_seconds_not_of_the_whole_night() -> None:
    tally = Tally(total=None, found_done=0, found_failed=0, began_s=0.0)
    for second in range(100):
        tally.done += 1000 if second < 50 else 10
        rate = tally.rows_per_s(float(second))
    assert rate == pytest.approx(10, rel=0.2)


def test_where_the_number_of_rows_is_not_known_no_time_is_told() -> None:
    tally = Tally(total=None, found_done=0, found_failed=0, began_s=0.0, done=50)
    assert line(tally, 1.0) == "50 rows, 50 rows/s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.23, "1.2 s"), (59.94, "59.9 s"), (245, "4:05 min"), (7445.2, "2:04:05 h")]
)
def test_durations_are_told_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_same_trouble_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    for sentence in ("It is away.", "It is away.", "It is full."):
        lines.tell(sentence)
    assert capsys.readouterr().err == "It is away.\nIt is full.\n"


@pytest.mark.parametrize(("failed", "stopped", "code"), [(0, None, 0), (3, None, 2), (3, "Stopped.", 1)])
def test_exit_codes(failed: int, stopped: str | None, code: int) -> None:
    summary = Summary("m", 1, Path("o"), Path("e"), 10, 7, failed, 0, 1.0, stopped)
    assert summary.exit_code == code
    assert summary.to_json()["exit_code"] == code
