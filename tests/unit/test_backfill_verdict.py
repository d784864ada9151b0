"""What is done with rows whose job brought no answer."""

from __future__ import annotations

import pytest

from client.backfill.error_file import Failure
from client.backfill.verdict import Verdict, end_without_answer, judge, refusal
from client.errors import BadRequest, TooLarge
from client.record import JobRecord


def verdict(kind: str, rows: int = 8, tries: int = 0, is_resumed: bool = False) -> Verdict:
    return judge(Failure(kind, "A sentence."), rows, tries, is_resumed)


@pytest.mark.parametrize("kind", ["invalid_input", "model_error", "poisoned", "out_of_memory", "body_too_large"])
def test_what_one_row_can_bring_about_is_cut_until_it_is_alone(kind: str) -> None:
    assert verdict(kind, rows=2) is Verdict.CUT
    assert verdict(kind, rows=1) is Verdict.FAIL


@pytest.mark.parametrize("kind", ["job_gone", "job_not_found", "result_gone", "idempotency_key_reused"])
def test_rows_of_a_lost_job_are_another_job_but_not_for_ever(kind: str) -> None:
    assert verdict(kind) is Verdict.AGAIN
    assert verdict(kind, tries=5) is Verdict.FAIL


@pytest.mark.parametrize("kind", ["job_cancelled", "job_expired"])
def test_what_somebody_ended_has_failed_unless_nobody_was_there_to_fetch_it(kind: str) -> None:
    assert verdict(kind) is Verdict.FAIL
    assert verdict(kind, is_resumed=True) is Verdict.AGAIN


@pytest.mark.parametrize("kind", ["unauthorized", "version_not_found", "invalid_parameter", "version_not_served", ""])
def test_what_all_rows_would_meet_ends_the_run(kind: str) -> None:
    assert verdict(kind) is Verdict.STOP


def test_a_refusal_without_a_name_says_its_status() -> None:
    assert refusal(BadRequest("No.", status=400)) == Failure("http_400", "No.")
    assert refusal(TooLarge("No.", status=413)) == Failure("body_too_large", "No.")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"status": "failed", "failure": {"type": "model_error", "message": "It cannot."}}, "model_error"),
        ({"status": "cancelled"}, "job_cancelled"),
        ({"status": "expired"}, "job_expired"),
    ],
)
def test_why_a_job_has_no_answer(body: dict[str, object], kind: str) -> None:
    assert end_without_answer(JobRecord.from_json({"id": "one", **body})).type == kind
