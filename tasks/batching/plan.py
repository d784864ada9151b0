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


def next_batch(ready: Sequence[R], max_rows: int, lanes: Sequence[Lane]) -> list[R]:
    """The jobs to run next, the oldest first; none where none of these lanes is ready.

    The batch is that of the oldest job of the first lane that has one: all of its group that fit. A job without a group
    runs alone, and so does one that is larger than a batch.

    Args:
        ready: in the order of their arrival.
        max_rows: most rows of a batch; those of the first job's size may allow fewer.
        lanes: those that may run now, the preferred one first, see `runnable_lanes`.
    """
    lane = next((lane for lane in lanes if any(job.lane is lane for job in ready)), None)
    if lane is None:
        return []
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


def runnable_lanes(interactive_waits: bool, bulk_is_due: bool) -> tuple[Lane, ...]:
    """The lanes that may run now, the preferred one first.

    Bulk jobs run only where no interactive job waits, unless they are due.

    Args:
        interactive_waits: whether an interactive job waits that is not ready, here or in Redis.
        bulk_is_due: whether bulk jobs have waited too long.
    """
    if bulk_is_due:
        return (Lane.BULK, Lane.INTERACTIVE)
    return (Lane.INTERACTIVE,) if interactive_waits else (Lane.INTERACTIVE, Lane.BULK)


def may_begin(ready: Sequence[Ready], running: int, max_rows: int) -> bool:
    """Whether a batch may begin now, beside those that are running.

    Another one only where it is at least half full: a smaller one may still grow, and would only slow the first one
    down. It uses what the first leaves free, the cores above all, which batches share (`tasks.loading.merged_device`).
    """
    return bool(ready) and (running == 0 or 2 * sum(job.rows for job in ready) >= max_rows)


def may_run_beside(batch: Sequence[Ready], running: Collection[Ready]) -> bool:
    """Whether a batch may begin beside others: nothing runs beside a suspect, whose death would be theirs too.

    Args:
        batch: the next one.
        running: the first job of each batch in the model.
    """
    return not running or not any(job.is_suspect for job in (batch[0], *running))


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


def jobs_of_rows(rows: int, rows_a_job: float) -> int:
    """How many jobs, at least one, have about so many rows, where a job has `rows_a_job`."""
    return max(1, round(rows / max(rows_a_job, 1.0)))
