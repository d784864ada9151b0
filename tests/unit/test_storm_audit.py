"""The audit finds each fault: it is shown one, and names the job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.storm.answers import Answers
from benchmarks.storm.audit import Found, audit
from benchmarks.storm.ledger import Kind, Ledger, Promise
from benchmarks.storm.sums import MOST_ROWS, NUMBERS, longest_rows_of, poisonous_rows, rows_of
from tasks.npy import encode_npy

GOOD, POISON, DAMAGED = "good", "poison", "damaged"

Books = dict[str, Found]
Change = Callable[[Ledger, Books, Books], object]


#: Of a storm of ten jobs: the models are the identity and its negative.
FEW = np.stack([longest_rows_of(number) for number in range(10)])


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    np.save(tmp_path / "double.npy", FEW)
    np.save(tmp_path / "triple.npy", -FEW)
    return Answers(tmp_path)


def books() -> tuple[Ledger, Books]:
    """Three jobs with which all is well."""
    ledger = Ledger()
    ledger.promise(GOOD, Promise("double", Kind.ORDINARY, 7))
    ledger.promise(POISON, Promise("double", Kind.POISON, 0))
    ledger.promise(DAMAGED, Promise("triple", Kind.UNDECODABLE, 0))
    for job_id, status in ((GOOD, "succeeded"), (POISON, "failed"), (DAMAGED, "failed")):
        ledger.end(job_id, status)
    found = {
        GOOD: Found("succeeded", "", 1, 2, encode_npy(rows_of(7))),
        POISON: Found("failed", "poisoned", 2, 3, None),
        DAMAGED: Found("failed", "invalid_input", 3, 0, None),
    }
    return ledger, found


def put(job_id: str, **values: object) -> Change:
    """Another record, at both readings."""

    def change(_: Ledger, first: Books, second: Books) -> None:
        first[job_id] = second[job_id] = replace(second[job_id], **values)  # type: ignore[arg-type]

    return change


def test_nothing_is_found_where_all_is_well(answers: Answers) -> None:
    ledger, found = books()
    assert not any(audit(ledger, answers, found, dict(found), {POISON}).counts.values())


@pytest.mark.parametrize(
    ("fault", "job_id", "change"),
    [
        ("lost", GOOD, lambda ledger, first, second: second.pop(GOOD)),
        ("lost", GOOD, lambda ledger, first, second: ledger.vanish(GOOD)),
        ("lost", GOOD, put(GOOD, output=None)),
        ("non_terminal", GOOD, put(GOOD, status="running", output=None)),
        ("conflicting", GOOD, lambda ledger, first, second: ledger.tell(GOOD, "failed")),
        ("conflicting", GOOD, lambda ledger, first, second: ledger.end(GOOD, "succeeded")),
        ("conflicting", GOOD, lambda _, first, second: first.update({GOOD: replace(first[GOOD], finished_at_us=9)})),
        ("wrong", GOOD, put(GOOD, output=encode_npy(-rows_of(7)))),
        ("wrong", GOOD, lambda ledger, first, second: ledger.mistake(GOOD)),
        ("wrong", DAMAGED, put(DAMAGED, failure_type="worker_error")),
        ("poison_missed", POISON, put(POISON, failure_type="worker_error")),
    ],
)
def test_each_fault_is_found_and_named(answers: Answers, fault: str, job_id: str, change: Change) -> None:
    ledger, first = books()
    second = dict(first)
    change(ledger, first, second)
    found = audit(ledger, answers, first, second, {POISON})
    assert {name: ids for name, ids in vars(found).items() if ids} == {fault: [job_id]}


def test_an_ordinary_job_that_failed_beside_poison_is_wrong(answers: Answers) -> None:
    ledger, found = books()
    found[GOOD] = Found("failed", "poisoned", 1, 3, None)
    ledger.told.clear()
    assert audit(ledger, answers, found, found, {POISON}).wrong == [GOOD]


def test_poison_that_is_not_quarantined_is_missed(answers: Answers) -> None:
    ledger, found = books()
    assert audit(ledger, answers, found, found, set()).poison_missed == [POISON]


def test_inputs_are_exact_and_never_poison() -> None:
    for number in (0, 1, 2, NUMBERS - 1, NUMBERS, 123_456_789):
        rows = rows_of(number)
        assert 1 <= len(rows) <= MOST_ROWS
        assert (np.diff(rows.ravel()) == 1).all()
        assert not (rows == poisonous_rows()[0, 0]).any()
