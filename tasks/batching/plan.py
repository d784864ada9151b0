"""Which jobs make the next batch; pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence
from typing import Protocol, TypeVar

from tasks.job import Lane


class Ready(Protocol):
    """What the plan goes by."""

    lane: Lane
    rows: int
    batch_rows: int
    is_suspect: bool
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
    first = _next_job(ready, bulk_is_due)
    if first.group is None:
        return [first]
    batch: list[R] = []
    rows, most_rows = 0, min(max_rows, first.batch_rows)
    for job in ready:
        fits = not batch or rows + job.rows <= most_rows
        if fits and job.lane is first.lane and job.group == first.group:
            batch.append(job)
            rows += job.rows
            if rows >= most_rows:
                break
    return batch


def _next_job(ready: Sequence[R], bulk_is_due: bool) -> R:
    wanted = Lane.BULK if bulk_is_due else Lane.INTERACTIVE
    return next((job for job in ready if job.lane is wanted), ready[0])


def may_begin(ready: Sequence[Ready], running: Collection[bool], max_rows: int, bulk_is_due: bool) -> bool:
    """Whether a batch may begin now, beside those that are running.

    Nothing runs beside a suspect: if its worker dies again, no other job has an attempt less.

    Another one only where it is at least half full: a smaller one may still grow, and would only slow the first one
    down. It uses what the first leaves free, the cores above all, which batches share (`tasks.loading.merged_device`).

    Args:
        ready: in the order of their arrival.
        running: for each batch in the model, whether it is a suspect's.
        max_rows: most rows of a batch.
        bulk_is_due: whether bulk jobs have waited too long.
    """
    if not ready or not running:
        return bool(ready)
    is_half_full = 2 * sum(job.rows for job in ready) >= max_rows
    return is_half_full and not any(running) and not _next_job(ready, bulk_is_due).is_suspect


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
