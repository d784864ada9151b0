"""Which jobs make the next batch; pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Protocol, TypeVar

from tasks.job import Lane


class Ready(Protocol):
    """What the plan goes by."""

    lane: Lane
    rows: int
    group: Hashable
    ready_s: float


R = TypeVar("R", bound=Ready)


def next_batch(ready: Sequence[R], max_rows: int, bulk_is_due: bool) -> list[R]:
    """The jobs to run next, the oldest first.

    Bulk jobs only where no interactive job is ready, unless they are due. The batch is that of the oldest job of the
    lane: all of its group that fit. A job without a group runs alone, and so does one that is larger than a batch.

    Args:
        ready: in the order of their arrival.
        max_rows: most rows of a batch.
        bulk_is_due: whether bulk jobs have waited too long.
    """
    lane = _next_lane(ready, bulk_is_due)
    batch: list[R] = []
    rows = 0
    for job in ready:
        if job.lane is not lane:
            continue
        if not batch:
            batch, rows = [job], job.rows
            if job.group is None:
                break
        elif job.group == batch[0].group and rows + job.rows <= max_rows:
            batch.append(job)
            rows += job.rows
        if rows >= max_rows:
            break
    return batch


def _next_lane(ready: Iterable[Ready], bulk_is_due: bool) -> Lane:
    wanted, other = (Lane.BULK, Lane.INTERACTIVE) if bulk_is_due else (Lane.INTERACTIVE, Lane.BULK)
    return wanted if any(job.lane is wanted for job in ready) else other


def wait_s(ready: Sequence[Ready], max_rows: int, max_wait_s: float, now_s: float) -> float:
    """How long to wait for the batch to fill; 0 when it is full, or its first job has waited as long as it may."""
    if max_wait_s <= 0 or not ready or sum(job.rows for job in ready) >= max_rows:
        return 0.0
    return max(0.0, min(job.ready_s for job in ready) + max_wait_s - now_s)


def messages_wanted(rows_held: float, rows_a_job: float, max_rows: int) -> int:
    """How many more messages to claim: for the batch after next to be whole, and no more, since others could run them.

    Args:
        rows_held: claimed and not yet in the model.
        rows_a_job: as seen lately, at least 1.
        max_rows: most rows of a batch.
    """
    missing_rows = 2 * max_rows - rows_held
    return max(0, round(missing_rows / max(rows_a_job, 1.0)))
