"""Waiting for a job's end, in long polls and in streams of events, by a limited number of requests at once."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from api.errors import InvalidParameter
from tasks.finish_listener import Watch
from tasks.job import Job
from tasks.job_store import JobStore

#: The longest wait that can be asked for.
MAX_WAIT_S = 60


@dataclass(frozen=True)
class Place:
    """A request's place to wait for one job in; `watch` is None when it got none, or asked for none."""

    store: JobStore
    job_id: str
    timeout_s: float
    watch: Watch | None

    def look_at_once(self) -> None:
        """Have `wait` look at the record before it waits: the job may have ended before this place was taken."""
        if self.watch:
            self.watch.tell()

    def looks(self, every_s: float = math.inf) -> Iterator[None]:
        """Yield when the record is worth a look, at least so often; without a place once, at once."""
        return self.watch.looks(self.timeout_s, every_s) if self.watch else iter((None,))

    def wait(self) -> tuple[Job, dict[str, bytes]]:
        """The record and its result at the job's end or when the time is over; without a place, as they are now.

        Raises:
            JobNotFound, JobGone: there is no record.
        """
        for _ in self.looks():
            job, parts = self.store.get_with_result(self.job_id, self.watch)
            if job.is_finished:
                break
        return job, parts


class Waiters:
    """Those who wait now. Each holds a thread, so there is a limit.

    Args:
        store: whose jobs are waited for.
        most: how many may wait at once.
    """

    def __init__(self, store: JobStore, most: int) -> None:
        self._store = store
        self._most = most
        self._lock = threading.Lock()
        self.held = 0  #: how many wait now

    @contextmanager
    def place(self, job_id: str, timeout_s: float) -> Iterator[Place]:
        """A place to wait in, if there is one; nothing that happens to the job from here on is missed."""
        if timeout_s <= 0 or not self._take():
            yield Place(self._store, job_id, 0, None)
            return
        try:
            with self._store.watch(job_id) as watch:
                yield Place(self._store, job_id, timeout_s, watch)
        finally:
            with self._lock:
                self.held -= 1

    def _take(self) -> bool:
        with self._lock:
            is_free = self.held < self._most
            self.held += is_free
            return is_free

    def close(self) -> None:
        """Let everybody who waits go, with the record as it is now."""
        self._store.stop_waiting()


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
