"""A worker's threads put together: loaders, runners and storer around one batcher."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis

from tasks.batching import announce
from tasks.batching.batcher import Batcher
from tasks.batching.loader import Loader
from tasks.batching.notices import Notice, Notices
from tasks.batching.runner import Runner
from tasks.batching.storer import Storer
from tasks.batching.watchdog import Watchdog, end_unless_alive, end_worker
from tasks.deliveries import Deliveries
from tasks.job import Lane
from tasks.job_end import JobEnds
from tasks.job_store import JobStore
from tasks.settings import Settings
from tasks.versions.rollout import Rollout

#: Each message of events is a round trip; a job that is alone has three events within a few milliseconds.
EVENTS_PAUSE_S = 0.05


@dataclass(frozen=True)
class Bench:
    """All that a worker needs to run jobs: its model, what it serves of it, its connection to the records, its name."""

    model: str
    rollout: Rollout
    client: redis.Redis
    worker: str
    settings: Settings


class Line:
    """The way of jobs through a worker, from `batcher.add` to the notices that they have ended.

    Attributes:
        batcher: Takes claimed jobs.
        notices: What the threads have to say to the event loop.
        flush_events: Sends Celery's events, by the connection of the day.

    Args:
        bench: the worker's.
        call_soon: `Hub.call_soon` of the event loop.
        call_later: `Hub.call_later` of the event loop.
    """

    def __init__(
        self, bench: Bench, call_soon: Callable[[Notice], Any], call_later: Callable[[float, Notice], Any]
    ) -> None:
        rollout, settings = bench.rollout, bench.settings
        self.notices = Notices(call_soon)
        self.flush_events: Callable[[], None] | None = None
        self._events_wait = False
        self._call_later = call_later
        self.batcher = Batcher(
            max_rows=lambda: rollout.serving.max_rows,
            max_wait_s=lambda: rollout.serving.default.model.batching.max_wait_ms / 1000,
            bulk_patience_s=settings.bulk_patience_s,
            ask_again=self._ask_again,
            forget=announce.dropped,
        )
        deliveries = Deliveries(bench.client, bench.model, bench.worker)
        store = JobStore(bench.client, settings.result_ttl_s)
        ends = JobEnds(bench.client, settings.result_ttl_s, settings.quarantine_ttl_s)
        self._storer = Storer(bench.model, store, ends, self.notices)
        loaders = [
            Loader(
                lane,
                rollout,
                deliveries,
                self.batcher,
                self._storer,
                self.notices,
                max_image_pixels=settings.max_image_pixels,
                threads=settings.decode_threads,
            )
            for lane in Lane
        ]
        self._watchdog = Watchdog(
            lambda: rollout.serving.run_timeout_s(settings.run_timeout_s), end_worker, end_unless_alive
        )
        rollout.before_call = self._watchdog.begin_anew
        rollout.is_idle = self.batcher.is_idle
        rollout.after_step = self.batcher.look_again
        runner = Runner(self.batcher, deliveries, self._watchdog, self._storer, self.notices)
        runners = [("runner", runner.run)] * settings.parallel_batches
        runs = [*((f"loader-{one.lane}", one.run) for one in loaders), *runners, ("storer", self._storer.run)]
        self._threads = [threading.Thread(target=run, name=name, daemon=True) for name, run in runs]

    def start(self) -> None:
        """Begin."""
        self._watchdog.start()
        for thread in self._threads:
            thread.start()

    def finish(self, meanwhile: Callable[[], None], every_s: float) -> None:
        """Begin no more batches, and return when the one in hand is stored.

        Args:
            meanwhile: called now and then and at the end, since the event loop is not running.
            every_s: how often.
        """
        self.batcher.close()
        *makers, storer = self._threads
        for thread in makers:
            _join(thread, meanwhile, every_s)
        self._storer.close()
        _join(storer, meanwhile, every_s)
        # For its last words, where it ended before it was waited for.
        meanwhile()

    def events_wait(self) -> None:
        """There are events to be sent, soon and together. On the event loop only."""
        if not self._events_wait:
            self._events_wait = True
            self._call_later(EVENTS_PAUSE_S, self._flush_events)

    def _flush_events(self) -> None:
        self._events_wait = False
        if self.flush_events is not None:
            self.flush_events()

    def _ask_again(self, pause_s: float) -> None:
        if pause_s:
            self._call_later(pause_s, _nothing)
        else:
            self.notices.post(_nothing)


def _nothing() -> None:
    """A turn of the loop is all that is wanted: claims are looked at on each."""


def _join(thread: threading.Thread, meanwhile: Callable[[], None], every_s: float) -> None:
    while thread.is_alive():
        thread.join(every_s)
        meanwhile()
