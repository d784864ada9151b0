"""The threads that call the model: each takes the next batch the moment that its last one is computed."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from celery.worker import state

from tasks import deliveries
from tasks.batching import announce
from tasks.batching.batcher import Batcher
from tasks.batching.compute import Computed, Computer
from tasks.batching.entry import Entry
from tasks.batching.notices import Notices
from tasks.batching.storer import GIVEN_BACK, REVOKED, Ran, Refused, Storer
from tasks.batching.until_answered import until_answered
from tasks.batching.watchdog import Watchdog
from tasks.deliveries import Deliveries

logger = logging.getLogger(__name__)


class Runner:
    """Runs batch after batch.

    The attempt of each job is counted just before the model is called, and only then: a job that was never in the
    model when its worker died is not to blame.
    """

    def __init__(
        self,
        batcher: Batcher,
        beginning: Deliveries,
        computer: Computer,
        watchdog: Watchdog,
        storer: Storer,
        notices: Notices,
    ) -> None:
        self._batcher = batcher
        self._deliveries = beginning
        self._computer = computer
        self._watchdog = watchdog
        self._storer = storer
        self._notices = notices

    def run(self) -> None:
        """Run batches until the batcher is closed."""
        while batch := self._batcher.next_batch():
            try:
                self._run(batch)
            except Exception:
                logger.exception("A batch of %d jobs was given up; they are queued again.", len(batch))
                self._storer.put(Refused(batch, [GIVEN_BACK] * len(batch)))

    def _run(self, batch: Sequence[Entry]) -> None:
        if batch[0].is_suspect:
            # If the worker dies of it, the answers of those before it must not die too.
            self._storer.settle()
        wanted = self._without(batch, [_unwanted(entry.request) for entry in batch])
        begun = self._without(wanted, self._begin(wanted)) if wanted else []
        if not begun:
            return
        self._notices.post(lambda: announce.started(entry.request for entry in begun))
        began_s = time.perf_counter()
        with self._watchdog.watching():
            computed = self._compute(begun)
        self._storer.put(Ran(begun, computed, (time.perf_counter() - began_s) * 1000))

    def _compute(self, begun: Sequence[Entry]) -> list[Computed]:
        inputs = [entry.inputs for entry in begun if entry.inputs is not None]
        # All of a batch are for the same one.
        signature = _signature(begun[0])
        if inputs[0].parts:
            return [self._computer.run_parts(inputs[0].parts, signature)]
        return self._computer.run([given.arrays for given in inputs], [entry.rows for entry in begun], signature)

    def _begin(self, batch: Sequence[Entry]) -> list[str | None]:
        """Why each job must not run; None where it may."""
        given = [entry.delivery for entry in batch]
        run = uuid.uuid4().hex
        words = until_answered(lambda: self._deliveries.begin(given, run))
        for entry, word in zip(batch, words, strict=True):
            entry.number = word if isinstance(word, int) else None
        return [word if isinstance(word, str) else None for word in words]

    def _without(self, batch: Sequence[Entry], reasons: Sequence[str | None]) -> list[Entry]:
        """The jobs that have no reason not to run; the others are refused."""
        refused = [(entry, reason) for entry, reason in zip(batch, reasons, strict=True) if reason]
        if not refused:
            return list(batch)
        self._storer.put(Refused([entry for entry, _ in refused], [reason for _, reason in refused]))
        return [entry for entry, reason in zip(batch, reasons, strict=True) if not reason]


def _signature(entry: Entry) -> str:
    return entry.job.signature if entry.job is not None else ""


def _unwanted(request: Any) -> str | None:
    """Why Celery's own means say that a job must not run; the record has been asked by `begin` for ours."""
    if request.id in state.revoked:
        return REVOKED
    is_late = request.expires is not None and datetime.now(request.expires.tzinfo) > request.expires
    return deliveries.LATE if is_late else None
