"""Waiting for a job's end, in long polls and in streams of events, by a limited number of requests at once."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from api.errors import InvalidBody, InvalidParameter
from api.request_body import json_kind
from tasks.finish_listener import Watch
from tasks.job import Job
from tasks.job_store import JobStore

#: The longest wait that can be asked for.
MAX_WAIT_S = 60

_EXPECTED = f"a number of seconds from 0 to {MAX_WAIT_S}"


@dataclass(frozen=True)
class Place:
    """A request's place to wait for one job in; `watch` is None when it got none, or asked for none."""

    store: JobStore
    job_id: str
    timeout_s: float
    watch: Watch | None

    def look_at_once(self) -> None:
        """Have `wait` and `looks` begin with a look: the job may have ended before this place was taken."""
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
        with self._seat(timeout_s) as has_seat:
            if not has_seat:
                yield Place(self._store, job_id, 0, None)
                return
            with self._store.watch(job_id) as watch:
                yield Place(self._store, job_id, timeout_s, watch)

    @contextmanager
    def watch_any(self, job_ids: Iterable[str], timeout_s: float) -> Iterator[Watch | None]:
        """A place to wait in until one of several jobs ends; None when there is none, or nobody wants to wait."""
        with self._seat(timeout_s) as has_seat:
            if not has_seat:
                yield None
                return
            with self._store.watch_any(job_ids) as watch:
                yield watch

    @contextmanager
    def _seat(self, timeout_s: float) -> Iterator[bool]:
        has_seat = timeout_s > 0 and self._take()
        try:
            yield has_seat
        finally:
            with self._lock:
                self.held -= has_seat

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
        raise InvalidParameter("wait", _EXPECTED, repr(text[:40]))
    return seconds


def check_wait(value: Any) -> float:
    """Seconds from `wait` in a JSON document.

    Raises:
        InvalidBody: it is no number from 0 to `MAX_WAIT_S`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidBody("wait", _EXPECTED, f"a JSON {json_kind(value)}")
    if not 0 <= value <= MAX_WAIT_S:
        raise InvalidBody("wait", _EXPECTED, str(value)[:40])
    return value
