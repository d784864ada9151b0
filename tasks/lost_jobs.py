"""Which jobs have lost their message; pure.

A message waits in the list of its lane, or a worker holds it. Messages are taken from the end of a list in the order in
which they came, so a job that is older than what waits there is not in the list any more; when no worker holds it
either, its message is gone. That needs a look at a few messages only, however long the list is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from tasks.job import Job

#: A job may be on its way between list and worker for so long, and messages that come at once change places.
SETTLED_S = 20.0

#: Ids of jobs in a message as kombu writes it: the task's id, and what Flower shows as its arguments.
_JOB_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def job_ids(messages: Iterable[bytes]) -> set[str]:
    """The ids of the jobs that messages are for."""
    return {found.decode() for message in messages for found in _JOB_ID.findall(message)}


def settled_before_us(now_us: int, waiting: Iterable[Job | None]) -> float:
    """When a job must have been submitted to be in a list no more, in µs.

    Args:
        now_us: of Redis's clock.
        waiting: the jobs whose messages are the next to be taken from the list; those without a record say nothing.
    """
    oldest_us = min((job.created_at_us for job in waiting if job and job.created_at_us), default=now_us)
    return min(oldest_us, now_us) - SETTLED_S * 1_000_000


def is_lost(job: Job, now_us: int, before_us: float, seen: Collection[str]) -> bool:
    """Whether nobody will ever run a job unless it is queued again.

    Args:
        job: as recorded.
        now_us: of Redis's clock.
        before_us: `settled_before_us` of its lane's list.
        seen: the ids of jobs of which a message was seen.
    """
    has_come_long_ago = (job.created_at_us or 0) < before_us
    has_begun_of_late = (job.started_at_us or 0) > now_us - SETTLED_S * 1_000_000
    return has_come_long_ago and not has_begun_of_late and not job.is_finished and job.id not in seen
