"""The job that a URL names, for who may see it."""

from __future__ import annotations

import uuid

from api.auth import check_owner
from api.services import services
from tasks.errors import JobNotFound
from tasks.job import Job


def find_job(job_id: str) -> Job:
    """The job's record.

    Raises:
        JobNotFound: never submitted, another owner's, or no id at all.
        JobGone: ended, and its lifetime is over.
    """
    check_id(job_id)
    return check_owner(services().store.get(job_id))


def check_id(job_id: str) -> None:
    """Refuse what cannot be a job's id before it becomes part of a key in Redis.

    Raises:
        JobNotFound: it is not written as ids are.
    """
    try:
        canonical = str(uuid.UUID(job_id))
    except ValueError:
        canonical = ""
    if canonical != job_id:
        raise JobNotFound(f"There is no job {job_id[:80]!r}; that is not even an id.")
