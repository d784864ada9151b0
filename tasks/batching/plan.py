"""Which jobs make the next batch; pure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Protocol, TypeVar

from tasks.job import Lane


class Ready(Protocol):
    """What the plan goes by."""

    lane: Lane
    rows: int
    batch_rows: int
    group: Hashable
    ready_s: float


R = TypeVar("R", bound=Ready)


def next_batch(ready: Sequence[R], max_rows: int, bulk_is_due: bool) -> list[R]:
    """The jobs to run next, the oldest first.

    Bulk jobs only where no interactive job is ready, unless they are due. The batch is that of the oldest job of the
    lane: all of its group that fit. A job without a group runs alone, and so does one that is larger than a batch.

    Args:
        ready: in the order of their arrival; at least one.
        max_rows: most rows of a batch; those of the first job's size may allow fewer.
        bulk_is_due: whether bulk jobs have waited too long.
    """
    lane = _next_lane(ready, bulk_is_due)
    first = next(job for job in ready if job.lane is lane)
    if first.group is None:
        return [first]
    batch: list[R] = []
    rows, most_rows = 0, min(max_rows, first.batch_rows)
    for job in ready:
        fits = not batch or rows + job.rows <= most_rows
        if fits and job.lane is lane and job.group == first.group:
            batch.append(job)
            rows += job.rows
            if rows >= most_rows:
                break
    return batch


def _next_lane(ready: Iterable[Ready], bulk_is_due: bool) -> Lane:
    wanted, other = (Lane.BULK, Lane.INTERACTIVE) if bulk_is_due else (Lane.INTERACTIVE, Lane.BULK)
    return wanted if any(job.lane is wanted for job in ready) else other


def may_begin(ready: Sequence[Ready], running: int, max_rows: int) -> bool:
    """Whether a batch may begin now, beside those that are running.

    Another one only where it is at least half full: a smaller one may still grow, and would only slow the first one
    down. It uses what the first leaves free, the cores above all, which batches share (`tasks.loading.merged_device`).
    """
    return bool(ready) and (running == 0 or 2 * sum(job.rows for job in ready) >= max_rows)


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
    return max(0, math.ceil(missing_rows / max(rows_a_job, 1.0)))
