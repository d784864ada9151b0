"""What becomes of a submitted job, read from the answer of lua/submit.lua. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.caps import Caps
from tasks.errors import IdempotencyKeyReused, MemoryFull, QueueFull, TasksError
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


def read_receipts(chunk: Chunk, answer: Sequence[Any], caps: Caps) -> list[Receipt | TasksError]:
    """What the script says of each of the jobs that it was given: a receipt, or why it is not recorded."""
    return [_read(job, outcome, caps) for (job, _), outcome in zip(chunk, answer, strict=True)]


def _read(job: Job, outcome: Any, caps: Caps) -> Receipt | TasksError:
    match outcome:
        case int():
            return Receipt(job.id, outcome)
        case [b"full", queued, input_bytes]:
            return QueueFull(
                f"Model {job.model} may have {caps.queued_jobs} queued jobs and {caps.queued_bytes} bytes of input; it "
                f"has {queued} and {input_bytes}. Send this job again later.",
                queued,
            )
        case [job_id, in_front]:
            return Receipt(job_id.decode(), in_front)
        case b"memory":
            return MemoryFull(
                f"More than {caps.memory_percent} % of the broker's memory is in use. Delete results that are not "
                "needed any more, and send this job again later."
            )
    return IdempotencyKeyReused(
        f"Another request came to model {job.model} with this idempotency key before. "
        "Use a new key for each request, and the same one only to send the same request again."
    )
