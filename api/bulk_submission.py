"""Storing the items of a bulk request, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from api.bulk_item import Item
from api.errors import describe
from api.validation import Input
from tasks.errors import BrokerUnavailable, MemoryFull, QueueFull, TasksError
from tasks.job import Job
from tasks.job_store import JobStore
from tasks.receipt import Receipt


@dataclass
class Entry:
    """An item without its content, and its outcome: the id of its job, or what is told of an error; neither: not known.

    The error itself is not kept: with it would be all that its traceback holds, the item's content above all.
    """

    index: int
    rows: int
    line_ids: Sequence[str | None]
    job_id: str | None = None
    error: Mapping[str, str] | None = None


class BulkSubmission:
    """One request's. What could be stored is; the rest is told.

    Args:
        make_job: gives a new job for the item that begins at a row, with this input.

    Attributes:
        entries: Of all items so far, in their order.
        repeated: Ids of jobs that were stored by an earlier request.
        halt: Why no further job was tried, if so: the queue or the memory is full, or the broker away.
    """

    def __init__(self, make_job: Callable[[int, Input], Job]) -> None:
        self.entries: list[Entry] = []
        self.repeated: list[str] = []
        self.halt: TasksError | None = None
        self._halt_told: Mapping[str, str] = {}
        self._make_job = make_job
        self._under_way: dict[str, Entry] = {}

    def run(self, store: JobStore, items: Iterable[Item]) -> None:
        """Store all that can be stored. Of the items no more are held than a few chunks of the store's."""
        remaining = iter(items)
        try:
            store.submit_each(self._jobs(remaining), self._heed)
        except BrokerUnavailable as error:
            self._stop(error)
            for entry in self._under_way.values():
                entry.error = self._halt_told
            for _ in self._jobs(remaining):
                """Each has its entry now, and none becomes a job."""

    @property
    def accepted(self) -> int:
        """How many items have a job."""
        return sum(entry.job_id is not None for entry in self.entries)

    def _jobs(self, items: Iterable[Item]) -> Iterator[tuple[Job, bytes]]:
        for item in items:
            entry = Entry(item.index, item.rows, item.line_ids)
            self.entries.append(entry)
            if isinstance(item.content, Exception):
                entry.error = describe(item.content)
            elif self.halt:
                entry.error = self._halt_told
            else:
                job = self._make_job(item.index, item.content)
                self._under_way[job.id] = entry
                yield job, item.content.payload

    def _heed(self, job: Job, outcome: Receipt | TasksError) -> None:
        entry = self._under_way.pop(job.id)
        if isinstance(outcome, Receipt):
            entry.job_id = outcome.job_id
            if outcome.job_id != job.id:
                self.repeated.append(outcome.job_id)
        else:
            entry.error = describe(outcome)
            if isinstance(outcome, QueueFull | MemoryFull):
                self._stop(outcome)

    def _stop(self, why: TasksError) -> None:
        self.halt, self._halt_told = why, describe(why)
