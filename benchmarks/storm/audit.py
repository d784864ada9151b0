"""Holds what became of each promised job against what should have; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from benchmarks.storm.answers import Answers
from benchmarks.storm.ledger import Kind, Ledger, Promise
from tasks.job import TERMINAL, FailureType, Status
from tasks.npy import decode_npy


@dataclass(frozen=True)
class Found:
    """What Redis holds of a job: from its record, and the one output of its result as `.npy`."""

    status: str
    failure_type: str
    finished_at_us: int
    attempt: int
    output: bytes | None


@dataclass(frozen=True)
class Audit:
    """The ids of the jobs with which something is wrong, by what it is.

    Attributes:
        lost: promised, and there is no record, or no result of one that succeeded.
        conflicting: ended more than once, or clients were told of different ends.
        non_terminal: never ended.
        wrong: the end or the answer is not the one that its input must have.
        poison_missed: poison that did not fail as `poisoned`, or is not in quarantine.
    """

    lost: list[str] = field(default_factory=list)
    conflicting: list[str] = field(default_factory=list)
    non_terminal: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    poison_missed: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each fault."""
        return {name: len(ids) for name, ids in vars(self).items()}


def audit(
    ledger: Ledger,
    answers: Answers,
    first: Mapping[str, Found],
    second: Mapping[str, Found],
    quarantined: Collection[str],
) -> Audit:
    """Judge every promised job.

    Args:
        ledger: what was promised and told.
        answers: the right ones.
        first: what was found when all had ended.
        second: what was found some time later, when every late writer has had its chance.
        quarantined: ids of jobs that are kept for inspection.
    """
    faults = Audit()
    for job_id, promise in ledger.promises.items():
        before, after = first.get(job_id), second.get(job_id)
        if before is None or after is None or job_id in ledger.vanished or _has_lost_its_answer(after):
            faults.lost.append(job_id)
            continue
        if after.status not in TERMINAL:
            faults.non_terminal.append(job_id)
            continue
        if before != after or len(ledger.told.get(job_id, set()) | {after.status}) > 1 or ledger.ends[job_id] > 1:
            faults.conflicting.append(job_id)
        if promise.kind is Kind.POISON:
            if not _failed_as(after, FailureType.POISONED) or job_id not in quarantined:
                faults.poison_missed.append(job_id)
        elif job_id in ledger.wrong or not _is_right(promise, answers, after):
            faults.wrong.append(job_id)
    return faults


def _has_lost_its_answer(found: Found) -> bool:
    return found.status == Status.SUCCEEDED and found.output is None


def _failed_as(found: Found, failure: FailureType) -> bool:
    return found.status == Status.FAILED and found.failure_type == failure


def _is_right(promise: Promise, answers: Answers, found: Found) -> bool:
    if promise.kind is Kind.UNDECODABLE:
        return _failed_as(found, FailureType.INVALID_INPUT)
    if found.status != Status.SUCCEEDED or found.output is None:
        return False
    return np.array_equal(decode_npy(found.output), answers.of(promise.model, promise.number))
