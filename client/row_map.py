"""A model run on any number of rows: their answers in order, with a window of jobs under way."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from client import call
from client.arrays import Answer
from client.bulk import Item, submitting_many
from client.errors import (
    ApiError,
    BadRequest,
    ClientError,
    Gone,
    InputError,
    NotFound,
    TooLarge,
    Unreachable,
    UnsupportedType,
)
from client.map_options import MapOptions
from client.procedures import Procedures, has_documents, signature_of
from client.record import JobRecord
from client.retry import Patience
from client.row_answers import split
from client.row_encoder import Row, RowEncoder, groups, join, size_bytes
from client.steps import END, Emit, Pause, Steps, Stream, Take
from client.tensor_fit import fits_of

#: Rows are gathered for one request until they take this much, up to the last of its last job.
_CHUNK_BYTES = 8 * 1024 * 1024
#: And become at most so many jobs; each picture may be one, and the server takes no more pictures in a request.
_CHUNK_JOBS = 2000
#: Rows that come slower are sent without waiting for others.
_GATHER_S = 0.25
#: The jobs of a batch end one shortly after the other: so long until all of them are asked about, in s.
_LINGER_S = 0.005
#: With a server that is asked to cancel what nobody wants any more.
_LEAVING = Patience(total_s=2.0)

#: What is wrong with the rows of a request, and not with all that follow.
_OF_THE_ROWS = (BadRequest, InputError, TooLarge, UnsupportedType)
#: But for these types: options that no row can be sent with.
_OF_THE_REQUEST = frozenset({"invalid_header", "invalid_parameter"})


@dataclass
class _Slot:
    """One job of the window, or rows that became none: `error` says why."""

    rows: int
    record: JobRecord | None = None
    answers: Sequence[Answer] | None = None
    error: ClientError | None = None

    @property
    def is_settled(self) -> bool:
        return self.answers is not None or self.error is not None

    @property
    def has_ended(self) -> bool:
        return self.is_settled or (self.record is not None and self.record.is_finished)


class RowMap:
    """One run over rows. What it holds is bounded by the window, whatever the number of rows."""

    def __init__(self, procedures: Procedures, options: MapOptions) -> None:
        self._procedures = procedures
        self._options = options
        self._slots: deque[_Slot] = deque()
        self._consumed: list[str] = []
        self._has_all = False
        self._arrays = True
        self._emitted = 0

    def stream(self) -> Stream:
        """Takes the rows and emits their answers, or their errors."""
        card = yield from self._procedures.model(self._options.model)
        encoder = RowEncoder(fits_of(signature_of(card, self._options.job.signature)))
        asked = self._options.arrays
        self._arrays = not has_documents(card, self._options.job.signature) if asked is None else asked
        while True:
            if self._has_room:
                yield from self._fill(encoder)
            if not self._slots and self._has_all:
                return
            if not self._slots:
                continue
            head = self._slots[0]
            # Where rows come slowly, more of them are taken before anything is waited for.
            if not head.is_settled and not (yield from self._settle(head, may_wait=not self._has_room)):
                continue
            yield from self._emit(self._slots.popleft())

    def leave(self) -> Steps[None]:
        """Cancel the jobs that nobody will hear of, and free results; as far as the server can be asked."""
        procedures = replace(self._procedures, patience=_LEAVING)
        records = [slot.record for slot in self._slots if slot.record is not None]
        try:
            for record in records:
                yield from _cancelling(procedures, record)
            yield from procedures.free([*self._consumed, *(record.id for record in records)])
        except ClientError:
            # Deadlines and lifetimes clear up what stays.
            return

    @property
    def _has_room(self) -> bool:
        step = max(1, self._options.window // 4)
        return not self._has_all and len(self._slots) <= self._options.window - step

    def _fill(self, encoder: RowEncoder) -> Stream:
        rows = yield from self._take(encoder)
        if self._consumed and rows:
            yield from self._procedures.free(self._consumed)
            self._consumed = []
        for group in _with_errors(rows):
            if isinstance(group, ClientError):
                self._slots.append(_Slot(1, error=group))
            else:
                self._slots.extend((yield from self._submit(group)))

    def _take(self, encoder: RowEncoder) -> Generator[Take, Any, list[Row | ClientError]]:
        rows: list[Row | ClientError] = []
        step = self._options.rows_per_job
        most = min(self._options.window - len(self._slots), _CHUNK_JOBS) * step
        taken_bytes, began_s = 0, time.monotonic()
        while len(rows) < most and (taken_bytes < _CHUNK_BYTES or len(rows) % step):
            given = yield Take()
            if given is END:
                self._has_all = True
                break
            try:
                row = encoder.read(given)
                taken_bytes += size_bytes(row)
                rows.append(row)
            except InputError as error:
                rows.append(error)
            if time.monotonic() - began_s > _GATHER_S:
                break
        return rows

    def _submit(self, rows: Sequence[Row]) -> Steps[list[_Slot]]:
        options = self._options
        try:
            payload = join(rows)
            items = yield from submitting_many(
                self._procedures, options.model, payload, options.job, options.rows_per_job, options.version
            )
        except _OF_THE_ROWS as error:
            if getattr(error, "type", "") in _OF_THE_REQUEST:
                raise
            if isinstance(error, TooLarge) and len(rows) > 1:
                middle = len(rows) // 2
                return [*(yield from self._submit(rows[:middle])), *(yield from self._submit(rows[middle:]))]
            return [_Slot(len(rows), error=error)]
        return [_slot(item) for item in items]

    def _settle(self, head: _Slot, may_wait: bool) -> Steps[bool]:
        """Whether the first job has its answer, or its error, now."""
        if not head.has_ended:
            if may_wait and head.record is not None:
                try:
                    head.record = yield from self._procedures.wait(head.record.id, inf)
                except (NotFound, Gone) as error:
                    head.error = error
                yield Pause(_LINGER_S)
            yield from self._look()
        if head.has_ended and not head.is_settled:
            yield from self._fetch()
        return head.is_settled

    def _look(self) -> Steps[None]:
        under_way = {slot.record.id: slot for slot in self._slots if slot.record and not slot.has_ended}
        found = yield from self._procedures.query(list(under_way))
        for job_id, slot in under_way.items():
            entry = found.get(job_id)
            if isinstance(entry, JobRecord):
                slot.record = entry
            elif entry is not None:
                slot.error = entry

    def _fetch(self) -> Steps[None]:
        """Get the answer of the first job, and of as many of the others that have ended as come with it."""
        ended = [slot for slot in self._slots if slot.has_ended and not slot.is_settled]
        wanted: dict[str, _Slot] = {}
        for slot in ended:
            if (failure := _failure(slot.record)) is not None:
                slot.error = failure
            elif slot.record is not None:
                wanted[slot.record.id] = slot
        if not wanted:
            return
        answers, looked_at = yield from self._procedures.some_results(list(wanted), self._arrays)
        for job_id, slot in list(wanted.items())[:looked_at]:
            if job_id in answers:
                slot.answers = split(answers[job_id], slot.rows)
            else:
                slot.error = Gone(f"The result of job {job_id} is gone; it was deleted, or outlived.", status=410)

    def _emit(self, slot: _Slot) -> Stream:
        if slot.record is not None:
            self._consumed.append(slot.record.id)
        for index in range(slot.rows):
            self._emitted += 1
            if slot.error is None and slot.answers is not None:
                yield Emit(slot.answers[index])
                continue
            error = copy(slot.error) or ClientError("This row has no answer.")
            error.row = self._emitted - 1
            if not self._options.yield_errors:
                raise error
            yield Emit(error)


def _slot(item: Item) -> _Slot:
    return _Slot(item.rows, record=item.record, error=item.error)


def _failure(record: JobRecord | None) -> ClientError | None:
    try:
        if record is not None:
            record.require_result()
    except ClientError as error:
        return error
    return None


def _with_errors(rows: Sequence[Row | ClientError]) -> list[list[Row] | ClientError]:
    """Rows in groups that can be sent together, and between them the errors of those that cannot be sent."""
    parts: list[list[Row] | ClientError] = []
    good: list[Row] = []
    for row in rows:
        if isinstance(row, ClientError):
            parts += [*groups(good), row]
            good = []
        else:
            good.append(row)
    return [*parts, *groups(good)]


def _cancelling(procedures: Procedures, record: JobRecord) -> Steps[None]:
    if record.is_finished:
        return
    try:
        yield from procedures.ask(call.cancel_call(record.id))
    except Unreachable:
        raise
    except ApiError:
        # It has ended meanwhile.
        return
