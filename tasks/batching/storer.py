"""Ending jobs: their results are encoded and stored, and Celery is told, while the model runs the next batch."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Queue

from tasks import deliveries
from tasks.batching import announce
from tasks.batching.compute import Computed
from tasks.batching.entry import Entry
from tasks.batching.notices import Notices
from tasks.batching.until_answered import until_answered
from tasks.inference import Answer, answer
from tasks.job import Failure, FailureType, Status
from tasks.job_end import DONE, MISSING, End, JobEnds, failure_fields
from tasks.job_store import JobStore

logger = logging.getLogger(__name__)

#: Batches that have run and are not stored yet: beyond these the model waits, for a broker that is full for example.
MOST_UNSTORED = 4

#: Said of a job that could not be run for a reason that is not its own, and of one that Celery was told to revoke.
GIVEN_BACK = "given_back"
REVOKED = "revoked"


@dataclass(frozen=True)
class Ran:
    """A batch that the model has run: its jobs, and for each its outputs or error."""

    entries: Sequence[Entry]
    computed: Sequence[Computed]
    compute_ms: float


@dataclass(frozen=True)
class Refused:
    """Jobs that the model has not run: each with a word of `tasks.deliveries`, its terminal status, or a failure."""

    entries: Sequence[Entry]
    words: Sequence[str | Failure]


class Storer:
    """Takes what became of jobs, from any thread, and stores it one after the other on its own.

    Args:
        model: its name.
        store: for jobs that were never recorded.
        ends: ends all others.
        notices: to the event loop.
    """

    def __init__(self, model: str, store: JobStore, ends: JobEnds, notices: Notices) -> None:
        self._model = model
        self._store = store
        self._ends = ends
        self._notices = notices
        self._queue: Queue[Ran | Refused | None] = Queue()
        self._unstored = threading.BoundedSemaphore(MOST_UNSTORED)

    def put(self, what: Ran | Refused) -> None:
        """Have it stored. Waits while too many batches that have run are not."""
        if isinstance(what, Ran):
            self._unstored.acquire()
        self._queue.put(what)

    def settle(self) -> None:
        """Return when all that was put is stored, or could not be."""
        self._queue.join()

    def close(self) -> None:
        """Let `run` return when all that was put is stored."""
        self._queue.put(None)

    def run(self) -> None:
        """Store until closed. Whatever goes wrong with one batch, the next is stored."""
        while self._store_next():
            pass

    def _store_next(self) -> bool:
        """Store what comes next, and hold on to none of it; gives False when closed."""
        what = self._queue.get()
        if what is None:
            return False
        try:
            self._store_ran(what) if isinstance(what, Ran) else self._store_refused(what)
        except Exception:
            logger.exception("%d jobs could not be ended; they are queued again.", len(what.entries))
            self._notices.post(partial(_say_all, [partial(announce.given_back, e.request) for e in what.entries]))
        finally:
            self._queue.task_done()
            if isinstance(what, Ran):
                self._unstored.release()
        return True

    def _store_ran(self, ran: Ran) -> None:
        ends = []
        for entry, outputs in zip(ran.entries, ran.computed, strict=True):
            assert entry.job is not None and entry.inputs is not None and entry.served is not None
            ends.append(self._end(entry, answer(entry.served.model, entry.job, entry.inputs, outputs, ran.compute_ms)))
        self._finish(ran.entries, ends, ran.compute_ms / 1000)

    def _store_refused(self, refused: Refused) -> None:
        ended: list[tuple[Entry, End]] = []
        for entry, word in zip(refused.entries, refused.words, strict=True):
            if end := self._end_of(entry, word):
                ended.append((entry, end))
            else:
                self._say(entry, str(word))
        self._finish([entry for entry, _ in ended], [end for _, end in ended], 0.0)

    def _end_of(self, entry: Entry, word: str | Failure) -> End | None:
        """How a refused job ends; None when there is nothing to write."""
        if isinstance(word, Failure):
            return self._end(entry, Answer(0.0, failure=word))
        if word in (deliveries.LATE, REVOKED):
            status = Status.EXPIRED if word == deliveries.LATE else Status.CANCELLED
            return End(job_id=entry.delivery.job_id, status=status, delivery=entry.number)
        if word == deliveries.POISONED:
            message = f"Its worker died, or had to be ended, each of the {deliveries.MAX_ATTEMPTS} times that it ran."
            return self._end(entry, Answer(0.0, failure=Failure(FailureType.POISONED, message)))
        return None

    def _end(self, entry: Entry, got: Answer) -> End:
        fields = {"compute_ms": f"{got.compute_ms:.3f}"}
        if entry.served is not None:
            fields["version"] = str(entry.served.model.version)
        if got.failure is not None:
            fields |= failure_fields(got.failure)
        status = Status.SUCCEEDED if got.failure is None else Status.FAILED
        return End(job_id=entry.delivery.job_id, status=status, delivery=entry.number, fields=fields, result=got.parts)

    def _finish(self, entries: Sequence[Entry], ends: Sequence[End], runtime_s: float) -> None:
        if not ends:
            return
        words = until_answered(lambda: self._ends.end(self._model, ends))
        sayings = [
            _saying(entry, end.status if word == DONE else word, end.fields.get("failure_type", ""), runtime_s)
            for entry, end, word in zip(entries, ends, words, strict=True)
        ]
        self._notices.post(partial(_say_all, sayings))

    def _say(self, entry: Entry, word: str) -> None:
        if word == deliveries.MISSING:
            failure = Failure(FailureType.RECORD_MISSING, "A message came for this id, but nobody had recorded a job.")
            until_answered(lambda: self._store.fail_unrecorded(entry.delivery.job_id, self._model, failure))
            logger.error("There is no record of a job %s; its message is dropped.", entry.delivery.job_id)
        if word == deliveries.FOREIGN:
            logger.warning(
                "Job %s is not for the model %s; its message is dropped.", entry.delivery.job_id, self._model
            )
        self._notices.post(_saying(entry, word, FailureType.RECORD_MISSING, 0.0))


def _say_all(sayings: Sequence[Callable[[], None]]) -> None:
    for say in sayings:
        try:
            say()
        except Exception:
            # The next ones would never be acknowledged, and their claims be renewed for ever.
            logger.exception("Celery could not be told of a job.")


def _saying(entry: Entry, word: str, failure_type: str, runtime_s: float) -> Callable[[], None]:
    """What Celery is to be told of a job, by its terminal status or the reason why it has none from here."""
    request = entry.request
    if word == Status.SUCCEEDED:
        return partial(announce.succeeded, request, runtime_s)
    if word in (Status.FAILED, MISSING):
        return partial(announce.failed, request, failure_type or "failed")
    if word in (Status.CANCELLED, Status.EXPIRED):
        return partial(announce.revoked, request, expired=word == Status.EXPIRED)
    if word == deliveries.PAUSED:
        return partial(announce.paused, request, entry.delivery.tag)
    if word == GIVEN_BACK:
        return partial(announce.given_back, request)
    return partial(announce.dropped, request)
