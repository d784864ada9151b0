"""What becomes of a submitted job, read from the answer of lua/submit.lua. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.errors import IdempotencyKeyReused, TasksError
from tasks.job import Job
from tasks.submission import Chunk


@dataclass(frozen=True)
class Receipt:
    """Says that a job is recorded.

    Attributes:
        job_id: Another one than was submitted when the same request had come before, with the same idempotency.
        in_front: How many jobs of its model waited in front of it, whatever their lanes.
    """

    job_id: str
    in_front: int


def read_receipts(chunk: Chunk, answer: Sequence[Any]) -> list[Receipt | TasksError]:
    """What the script says of each of the jobs that it was given: a receipt, or why it is not recorded."""
    return [_read(job, outcome) for (job, _), outcome in zip(chunk, answer, strict=True)]


def _read(job: Job, outcome: Any) -> Receipt | TasksError:
    if isinstance(outcome, int):
        return Receipt(job.id, outcome)
    if isinstance(outcome, list):
        return Receipt(outcome[0].decode(), outcome[1])
    return IdempotencyKeyReused(
        f"Another request came to model {job.model} with this idempotency key before. "
        "Use a new key for each request, and the same one only to send the same request again."
    )
