"""Waiting for jobs to end, all of them with one request, and fetching their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic

from client.async_celeriac import AsyncCeleriac
from client.backfill.cargo import answer_bytes, answers_of
from client.backfill.error_file import Failure
from client.backfill.flight import Flight
from client.backfill.order import Order
from client.backfill.sender import Sender
from client.backfill.tuner import Tuner
from client.backfill.verdict import end_without_answer, refusal
from client.backfill.window import Window
from client.errors import ApiError
from client.procedures import LONGEST_POLL_S
from client.record import JobRecord

#: Answers fetched at once take about so much memory.
_FETCHED_BYTES = 8 << 20

#: A server that holds enough requests back already answers at once: ask it no more often than this.
_SHORTEST_ROUND_S = 0.25


class Collector:
    """Fetches answers until there will be no more."""

    def __init__(self, client: AsyncCeleriac, order: Order, window: Window, tuner: Tuner, sender: Sender) -> None:
        self._client = client
        self._order = order
        self._window = window
        self._tuner = tuner
        self._sender = sender
        #: Of the largest answer so far; before the first one, that of one job is fetched alone.
        self._row_bytes = float(_FETCHED_BYTES)

    async def run(self) -> None:
        """Return when all rows were read, and their jobs have ended."""
        while await self._window.jobs_or_end():
            await self._round()

    async def _round(self) -> None:
        taken, began_s = self._window.taken, monotonic()
        records = await self._client.query(list(taken), LONGEST_POLL_S)
        succeeded: list[tuple[Flight, JobRecord]] = []
        ended = 0
        for job_id, record in records.items():
            if isinstance(record, JobRecord) and not record.is_finished:
                continue
            ended += 1
            if isinstance(record, JobRecord) and record.status == "succeeded":
                succeeded.append((taken[job_id], record))
                continue
            why = refusal(record) if isinstance(record, ApiError) else end_without_answer(record)
            await self._sender.remedy(taken[job_id], why)
        for portion in self._portions(succeeded):
            await self._fetch(portion)
        if not ended:
            await asyncio.sleep(max(0.0, began_s + _SHORTEST_ROUND_S - monotonic()))

    def _portions(self, succeeded: Sequence[tuple[Flight, JobRecord]]) -> Iterator[list[tuple[Flight, JobRecord]]]:
        portion: list[tuple[Flight, JobRecord]] = []
        size_bytes = 0.0
        for flight, record in succeeded:
            wanted_bytes = len(flight.chunk) * self._row_bytes
            if portion and size_bytes + wanted_bytes > _FETCHED_BYTES:
                yield portion
                portion, size_bytes = [], 0.0
                wanted_bytes = len(flight.chunk) * self._row_bytes
            portion.append((flight, record))
            size_bytes += wanted_bytes
        if portion:
            yield portion

    async def _fetch(self, portion: Sequence[tuple[Flight, JobRecord]]) -> None:
        found = await self._client.results([record.id for _, record in portion], arrays=self._order.as_arrays)
        row_bytes, now_s = 1.0, monotonic()
        for flight, record in portion:
            answer = found.pop(record.id, None)
            if answer is None:
                await self._sender.remedy(flight, Failure("result_gone", "Its result is not there any more."))
                continue
            rows = len(flight.chunk)
            answers = answers_of(answer, rows, self._order.fixed_rows)
            size_bytes = answer_bytes(answers)
            row_bytes = max(row_bytes, size_bytes / rows)
            self._tuner.ended(rows, float(record.body.get("compute_ms") or 0.0), now_s)
            await self._sender.settle(flight, answers, size_bytes)
        self._row_bytes = row_bytes if self._row_bytes >= _FETCHED_BYTES else max(row_bytes, self._row_bytes)
