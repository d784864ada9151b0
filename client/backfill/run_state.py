"""Where a backfill is: what its checkpoint says when a run begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Span:
    """Consecutive rows of the input.

    Attributes:
        first: The position of the first, from 0.
        rows: How many, at least 1.
    """

    first: int
    rows: int

    @property
    def end(self) -> int:
        """The position after the last."""
        return self.first + self.rows


@dataclass(frozen=True)
class SubmittedChunk:
    """Consecutive rows that are, or were about to be, one job.

    Attributes:
        first: The position of its first row in the input, from 0.
        rows: How many rows it has.
        idempotency_key: The one of its request: sent again with the same rows, it finds the same job.
        job_id: The job, once that is known.
    """

    first: int
    rows: int
    idempotency_key: str
    job_id: str | None = None


@dataclass(frozen=True)
class RunState:
    """A run as its checkpoint has it.

    Attributes:
        identity: What a later run must agree with to go on.
        started_at: When it was begun for the first time, UTC.
        is_cleared: Whether the files of the run before it are gone.
        position: All rows of the input before this one are written, to the output or the error file.
        islands: The rows beyond that are written too, in order.
        pending: The chunks that were submitted and are not written, in order: each is to be submitted again, with the
            same rows and key.
        unfreed: Jobs whose rows are written and whose results may still be on the server.
        rows_done: How many rows are in the output.
        rows_failed: How many rows are in the error file.
        output: The output's position, None before the first `flush`.
        errors: The error file's.
        is_finished: Whether the output is complete.
    """

    identity: Mapping[str, Any]
    started_at: datetime
    is_cleared: bool
    position: int
    islands: tuple[Span, ...]
    pending: tuple[SubmittedChunk, ...]
    unfreed: tuple[str, ...]
    rows_done: int
    rows_failed: int
    output: Mapping[str, Any] | None
    errors: Mapping[str, Any] | None
    is_finished: bool
