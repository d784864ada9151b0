"""How much of a backfill is on its way at once: jobs on the server, and rows in this process's memory."""

from __future__ import annotations

import asyncio

from client.backfill.flight import Flight

#: Rows that were read and are not written, with their answers, take about so much memory at most.
WINDOW_BYTES = 32 << 20

#: With so many jobs a worker has the next batches while it computes two, and the client has time to bring more.
JOBS_A_WORKER = 6
MOST_JOBS = 64

#: Small jobs need to be more, for batches to fill.
_ROWS_ON_THE_WAY = 512

#: After the server refused some for want of room, one more job is tried after so many that ended.
_JOBS_TO_RECOVER = 8


class Window:
    """What is on its way. Who brings more waits for room, and who fetches answers for jobs."""

    def __init__(self, workers: int, most_bytes: int = WINDOW_BYTES) -> None:
        self._full_jobs = min(MOST_JOBS, JOBS_A_WORKER * max(1, workers))
        self._refused_jobs = 0
        self._ended_since = 0
        self._most_bytes = most_bytes
        #: By first position: where the rows end, and about how much memory they take until they are written.
        self._held: dict[int, tuple[int, int]] = {}
        self._bytes = 0
        self._under_way: dict[int, Flight] = {}
        self._is_closed = False
        self._changed = asyncio.Condition()

    @property
    def jobs(self) -> int:
        """How many jobs are on their way."""
        return len(self._under_way)

    @property
    def taken(self) -> dict[str, Flight]:
        """Those that the server has, by job id, in the input's order."""
        flights = sorted(self._under_way.items())
        return {flight.job_id: flight for _, flight in flights if flight.job_id is not None}

    def most_jobs(self, rows_per_job: int) -> int:
        """How many jobs may be on their way."""
        wanted = max(self._full_jobs, min(MOST_JOBS, _ROWS_ON_THE_WAY // rows_per_job))
        return max(1, wanted - self._refused_jobs)

    def slow_down(self, rows_per_job: int) -> None:
        """The server had no room: half as many jobs from here on; told by several jobs at once, it is one refusal."""
        if self._refused_jobs and not self._ended_since:
            return
        self._refused_jobs += self.most_jobs(rows_per_job) // 2
        self._ended_since = 0

    async def room(self, rows_per_job: int) -> None:
        """Return when one more job may be on its way."""

        def has_room() -> bool:
            # Where nothing is under way nothing is held either: each row has settled, and so all are written.
            is_roomy = self._bytes < self._most_bytes or not self._under_way
            return is_roomy and self.jobs < self.most_jobs(rows_per_job)

        async with self._changed:
            await self._changed.wait_for(has_room)

    async def jobs_or_end(self) -> bool:
        """Return when the server has a job, or nothing will come any more: False."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.taken or (self._is_closed and not self._under_way))
            return bool(self.taken)

    async def close(self) -> None:
        """No more rows will be read."""
        async with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    async def put(self, flight: Flight) -> None:
        """It is on its way, or the server has it now; what had its rows before has not."""
        async with self._changed:
            self._under_way[flight.first] = flight
            self._hold(flight.first, flight.chunk.end, flight.bytes)
            self._changed.notify_all()

    async def ended(self, flight: Flight, answer_bytes: int) -> None:
        """Its rows have settled; their answers take so much memory until they are written."""
        async with self._changed:
            del self._under_way[flight.first]
            self._hold(flight.first, flight.chunk.end, answer_bytes)
            self._ended_since += 1
            if self._ended_since >= _JOBS_TO_RECOVER and self._refused_jobs:
                self._refused_jobs -= 1
                self._ended_since = 0
            self._changed.notify_all()

    async def hold(self, first: int, end: int, size_bytes: int) -> None:
        """Rows that are nobody's job take so much memory until they are written."""
        async with self._changed:
            self._hold(first, end, size_bytes)

    async def written(self, position: int, alone: int | None = None) -> None:
        """Memory is free again: all rows before this position are written, and those that begin at `alone`."""
        async with self._changed:
            gone = [first for first, (end, _) in self._held.items() if end <= position or first == alone]
            for first in gone:
                self._bytes -= self._held.pop(first)[1]
            self._changed.notify_all()

    def _hold(self, first: int, end: int, size_bytes: int) -> None:
        self._bytes += size_bytes - self._held.get(first, (0, 0))[1]
        self._held[first] = (end, size_bytes)
