"""Long polls: waiting for a job's end, by a limited number of requests at once."""

from __future__ import annotations

import math
import threading
import time

from api.errors import InvalidParameter
from tasks.job import Job
from tasks.job_store import JobStore

#: The longest wait that can be asked for.
MAX_WAIT_S = 60

#: How often one who waits looks up whether the server is being stopped.
LOOK_UP_S = 5.0


class Waiters:
    """Those who wait now. Each holds a thread and a connection to Redis, so there is a limit.

    Args:
        store: whose jobs are waited for.
        most: how many may wait at once.
    """

    def __init__(self, store: JobStore, most: int) -> None:
        self._store = store
        self._places = threading.BoundedSemaphore(most)
        self._closed = threading.Event()

    def wait(self, job_id: str, timeout_s: float) -> tuple[Job, bool]:
        """The job's record at its end or after `timeout_s`; without a free place, as it is now.

        Returns:
            The record, and whether it was waited for.

        Raises:
            JobNotFound, JobGone: there is no record.
        """
        if timeout_s <= 0 or not self._places.acquire(blocking=False):
            return self._store.get(job_id), False
        try:
            return self._wait(job_id, time.monotonic() + timeout_s), True
        finally:
            self._places.release()

    def close(self) -> None:
        """Let everybody who waits go within `LOOK_UP_S`, with the record as it is then."""
        self._closed.set()

    def _wait(self, job_id: str, deadline_s: float) -> Job:
        while True:
            left_s = deadline_s - time.monotonic()
            job = self._store.wait(job_id, min(left_s, LOOK_UP_S))
            if job.is_finished or left_s <= LOOK_UP_S or self._closed.is_set():
                return job


def parse_wait(text: str) -> float:
    """Seconds from the text of `?wait=`.

    Raises:
        InvalidParameter: it is no number from 0 to `MAX_WAIT_S`.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= MAX_WAIT_S:
        raise InvalidParameter("wait", f"a number of seconds from 0 to {MAX_WAIT_S}", repr(text[:40]))
    return seconds
