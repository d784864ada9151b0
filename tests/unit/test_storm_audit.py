"""The audit finds each fault: it is shown one, and names the job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.storm.audit import Found, audit
from benchmarks.storm.ledger import Kind, Ledger, Promise
from benchmarks.storm.sums import SUMS, answer_of, poisonous_rows, rows_of
from tasks.npy import encode_npy

GOOD, POISON, DAMAGED = "good", "poison", "damaged"

Books = dict[str, Found]
Change = Callable[[Ledger, Books, Books], object]


def books() -> tuple[Ledger, Books]:
    """Three jobs with which all is well."""
    ledger = Ledger()
    ledger.promise(GOOD, Promise("double", Kind.ORDINARY, 7))
    ledger.promise(POISON, Promise("double", Kind.POISON, 0))
    ledger.promise(DAMAGED, Promise("triple", Kind.UNDECODABLE, 0))
    for job_id, status in ((GOOD, "succeeded"), (POISON, "failed"), (DAMAGED, "failed")):
        ledger.end(job_id, status)
    found = {
        GOOD: Found("succeeded", "", 1, 2, encode_npy(answer_of("double", rows_of(7)))),
        POISON: Found("failed", "poisoned", 2, 3, None),
        DAMAGED: Found("failed", "invalid_input", 3, 0, None),
    }
    return ledger, found


def put(job_id: str, **values: object) -> Change:
    """Another record, at both readings."""

    def change(_: Ledger, first: Books, second: Books) -> None:
        first[job_id] = second[job_id] = replace(second[job_id], **values)  # type: ignore[arg-type]

    return change


def test_nothing_is_found_where_all_is_well() -> None:
    ledger, found = books()
    assert not any(audit(ledger, found, dict(found), {POISON}).counts.values())


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
        ("wrong", GOOD, put(GOOD, output=encode_npy(answer_of("triple", rows_of(7))))),
        ("wrong", GOOD, lambda ledger, first, second: ledger.mistake(GOOD)),
        ("wrong", DAMAGED, put(DAMAGED, failure_type="worker_error")),
        ("poison_missed", POISON, put(POISON, failure_type="worker_error")),
    ],
)
def test_each_fault_is_found_and_named(fault: str, job_id: str, change: Change) -> None:
    ledger, first = books()
    second = dict(first)
    change(ledger, first, second)
    found = audit(ledger, first, second, {POISON})
    assert {name: ids for name, ids in vars(found).items() if ids} == {fault: [job_id]}


def test_an_ordinary_job_that_failed_beside_poison_is_wrong() -> None:
    ledger, found = books()
    found[GOOD] = Found("failed", "poisoned", 1, 3, None)
    ledger.told.clear()
    assert audit(ledger, found, found, {POISON}).wrong == [GOOD]


def test_poison_that_is_not_quarantined_is_missed() -> None:
    ledger, found = books()
    assert audit(ledger, found, found, set()).poison_missed == [POISON]


def test_inputs_and_answers_are_exact_and_never_poison() -> None:
    for number in (0, 1, 2, 3_999_999, 4_000_000, 123_456_789):
        rows = rows_of(number)
        assert (rows[0, 1:] - rows[0, :-1] == 1).all()
        assert not (rows == poisonous_rows()[0, 0]).any()
        for model, (factor, offset) in SUMS.items():
            exact = [[int(factor) * int(x) + int(offset) for x in row] for row in rows]
            assert answer_of(model, rows).tolist() == exact
