"""The jobs that a worker holds and has not begun: claimed, looked at, ready. Shared by its threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from time import monotonic
from typing import Any

from tasks.batching.entry import Entry
from tasks.batching.plan import (
    jobs_of_rows,
    may_begin,
    may_run_beside,
    messages_wanted,
    next_batch,
    runnable_lanes,
    wait_s,
)
from tasks.job import Lane
from tasks.transport.claims import Wanted
from tasks.transport.scripts import MOST_AT_ONCE

#: While jobs are being run, claims are this far apart, so that one claim takes what came in meanwhile.
CLAIM_PAUSE_S = 0.005


class Batcher:
    """Where the loop puts claimed jobs, the loader makes them ready, and the runner takes batches of them.

    It is the `Demand` of the process's claims: what it wants is claimed, and no more.

    Args:
        max_rows: asked for the most rows of a batch.
        max_wait_s: asked how long a ready job may wait for its batch to fill.
        bulk_patience_s: how long bulk jobs may be held up by interactive ones.
        ask_again: called with a pause in s after which `wanted` is to be asked again; from any thread with 0.
        forget: called with the request of each job that is lost before it has begun.
    """

    def __init__(
        self,
        max_rows: Callable[[], int],
        max_wait_s: Callable[[], float],
        bulk_patience_s: float,
        ask_again: Callable[[float], None],
        forget: Callable[[Any], None],
    ) -> None:
        self._max_rows = max_rows
        self._max_wait_s = max_wait_s
        self._bulk_patience_s = bulk_patience_s
        self._ask_again = ask_again
        self._forget = forget
        self._lock = threading.RLock()
        # Several conditions of one lock: a thread that is woken for nothing takes the interpreter from one that is not.
        self._arrived = {lane: threading.Condition(self._lock) for lane in Lane}
        self._readied = threading.Condition(self._lock)
        self._waiting: dict[Lane, deque[Entry]] = {lane: deque() for lane in Lane}
        self._loading: dict[Lane, list[Entry]] = {lane: [] for lane in Lane}
        self._ready: list[Entry] = []
        #: Those whose version is being loaded.
        self._parked: list[Entry] = []
        #: Threads that have a batch in the model, and its first job: its lane is the batch's, and a suspect runs alone.
        self._running: dict[int, Entry] = {}
        self._closed = False
        self._rows_a_job = 1.0
        self._rows_a_job_of = dict.fromkeys(Lane, 1.0)
        #: Lanes of which nothing waits in Redis, as far as is known.
        self._emptied = frozenset(Lane)
        self._bulk_served_s = monotonic()
        self._claimed_s = 0.0

    # The loop's side.

    def add(self, entry: Entry) -> None:
        """A job was claimed."""
        with self._lock:
            self._start_patience()
            self._waiting[entry.lane].append(entry)
            self._arrived[entry.lane].notify()

    def wanted(self) -> Wanted:
        """How many messages to claim now, and of which lanes."""
        with self._lock:
            wanted = Wanted(0, ()) if self._closed else self._missing()
            is_busy = not self.is_idle()
        pause_s = self._claimed_s + CLAIM_PAUSE_S - monotonic()
        if wanted.number and is_busy and pause_s > 0:
            self._ask_again(pause_s)
            return Wanted(0, ())
        if wanted.number:
            self._claimed_s = monotonic()
        return wanted

    def is_idle(self) -> bool:
        """Whether there is no job, here or in the model."""
        with self._lock:
            held = (*self._loading.values(), *self._waiting.values())
            return not (self._running or self._ready or self._parked or any(held))

    def bulk_first(self) -> bool:
        """Whether bulk jobs have been held up too long."""
        with self._lock:
            is_served = any(first.lane is Lane.BULK for first in self._running.values())
            return not is_served and monotonic() - self._bulk_served_s >= self._bulk_patience_s

    def emptied(self, lanes: Collection[Lane]) -> None:
        """Nothing of these lanes waits in Redis; where this is so of bulk, none is held up but those that are here."""
        with self._lock:
            self._emptied = frozenset(lanes)
            self._start_patience()
            self._readied.notify_all()

    def lost(self, tags: frozenset[str]) -> None:
        """These jobs are another worker's; those that have begun find out by themselves."""
        for entry in self._remove(lambda entry: entry.delivery.tag in tags):
            self._forget(entry.request)

    def close(self) -> None:
        """Hand out no more jobs."""
        with self._lock:
            self._closed = True
            for arrived in self._arrived.values():
                arrived.notify_all()
            self._readied.notify_all()

    def withdraw(self) -> list[Entry]:
        """All jobs that have not begun; they are nobody's then."""
        return self._remove(lambda entry: True)

    def unfinished(self) -> list[Entry]:
        """All jobs that have not begun, in the order of their arrival."""
        with self._lock:
            return [
                *self._ready,
                *chain(*self._loading.values()),
                *self._parked,
                *(entry for lane in Lane for entry in self._waiting[lane]),
            ]

    # The loaders' side: one for each lane, since the pictures of a bulk job take longer than people wait.

    def next_waiting(self, lane: Lane, most_rows: int) -> list[Entry]:
        """Jobs of a lane to look at, of about so many rows; waits for one. Empty when closed."""
        with self._lock:
            waiting = self._waiting[lane]
            self._arrived[lane].wait_for(lambda: self._closed or bool(waiting))
            if self._closed:
                return []
            most = jobs_of_rows(most_rows, self._rows_a_job_of[lane])
            self._loading[lane] = [waiting.popleft() for _ in range(min(most, len(waiting)))]
            return list(self._loading[lane])

    def put_ready(
        self, lane: Lane, ready: Sequence[Entry], later: Sequence[Entry] = (), parked: Sequence[Entry] = ()
    ) -> None:
        """Jobs of a lane were looked at: those that the model can run, those to be looked at again, those to be parked.

        What was lost or withdrawn meanwhile is left out.
        """
        with self._lock:
            held = set(self._loading[lane])
            self._ready += [entry for entry in ready if entry in held]
            self._parked += [entry for entry in parked if entry in held]
            for entry in reversed([entry for entry in later if entry in held]):
                self._waiting[lane].appendleft(entry)
            self._loading[lane] = []
            if ready:
                rows_a_job = sum(entry.rows for entry in ready) / len(ready)
                self._rows_a_job += 0.2 * (rows_a_job - self._rows_a_job)
                self._rows_a_job_of[lane] = rows_a_job
            self._readied.notify_all()

    def look_again(self) -> None:
        """The versions that parked jobs get may be loaded now, from any thread."""
        with self._lock:
            for entry in reversed(self._parked):
                self._waiting[entry.lane].appendleft(entry)
                self._arrived[entry.lane].notify()
            self._parked = []

    # The runner's side.

    def next_batch(self) -> list[Entry]:
        """The jobs to run next; waits for one. Empty when closed. Those of the thread's last batch are done with."""
        with self._lock:
            if last := self._running.pop(threading.get_ident(), None):
                self._ended(last)
            while not self._closed:
                pause_s = wait_s(self._ready, self._max_rows(), self._max_wait_s(), monotonic())
                if not pause_s and (batch := self._take_batch()):
                    return batch
                self._readied.wait(pause_s or None)
            return []

    def _ended(self, last: Entry) -> None:
        if last.lane is Lane.BULK:
            # At its end: a batch may take longer than the patience, and interactive jobs would never have their turn.
            self._bulk_served_s = monotonic()
        if last.is_suspect:
            self._readied.notify_all()
        if not self._ready or self._interactive_waits():
            self._ask_again(0.0)

    def _missing(self) -> Wanted:
        missing = self._missing_of(tuple(Lane))
        if not missing:
            # What is held of bulk must not keep interactive jobs from being seen.
            return Wanted(self._missing_of((Lane.INTERACTIVE,)), (Lane.INTERACTIVE,))
        return Wanted(missing, runnable_lanes(interactive_waits=False, bulk_is_due=self.bulk_first()))

    def _missing_of(self, lanes: Collection[Lane]) -> int:
        held = sum(len(self._waiting[lane]) + len(self._loading[lane]) for lane in lanes)
        rows = held * self._rows_a_job + sum(entry.rows for entry in self._ready if entry.lane in lanes)
        return min(messages_wanted(rows, self._rows_a_job, self._max_rows()), MOST_AT_ONCE)

    def _interactive_waits(self) -> bool:
        """Whether an interactive job waits, as far as is known, that is not ready."""
        lane = Lane.INTERACTIVE
        return bool(self._loading[lane] or self._waiting[lane]) or lane not in self._emptied

    def _start_patience(self) -> None:
        if Lane.BULK not in self._emptied or self._waiting[Lane.BULK]:
            return
        if not self._loading[Lane.BULK] and all(entry.lane is not Lane.BULK for entry in self._ready):
            self._bulk_served_s = monotonic()

    def _take_batch(self) -> list[Entry]:
        if not may_begin(self._ready, len(self._running), self._max_rows()):
            return []
        lanes = runnable_lanes(self._interactive_waits(), self.bulk_first())
        batch = next_batch(self._ready, self._max_rows(), lanes)
        if not batch or not may_run_beside(batch, self._running.values()):
            return []
        taken = set(batch)
        self._ready = [entry for entry in self._ready if entry not in taken]
        self._running[threading.get_ident()] = batch[0]
        return batch

    def _remove(self, unwanted: Callable[[Entry], bool]) -> list[Entry]:
        with self._lock:
            removed = [entry for entry in self._ready if unwanted(entry)]
            removed += [entry for entry in chain(*self._loading.values()) if unwanted(entry)]
            removed += [entry for entry in self._parked if unwanted(entry)]
            removed += [entry for lane in Lane for entry in self._waiting[lane] if unwanted(entry)]
            self._keep_all_but(removed)
            return removed

    def _keep_all_but(self, removed: Iterable[Entry]) -> None:
        gone = set(removed)
        self._ready = [entry for entry in self._ready if entry not in gone]
        self._parked = [entry for entry in self._parked if entry not in gone]
        for lane in Lane:
            self._loading[lane] = [entry for entry in self._loading[lane] if entry not in gone]
            # In place: a loader may wait for one to come into it.
            kept = [entry for entry in self._waiting[lane] if entry not in gone]
            self._waiting[lane].clear()
            self._waiting[lane].extend(kept)
        # Bulk jobs may have waited for one of these.
        self._readied.notify_all()
