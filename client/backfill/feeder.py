"""Reading rows, as fast as there is room for them, and sending them off."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from client.backfill.chunk import Rows, UnreadRow
from client.backfill.course import Course, Leg
from client.backfill.flight import Flight
from client.backfill.order import MOST_JOB_BYTES
from client.backfill.scorer import Scorer
from client.backfill.sender import Sender
from client.backfill.source import Reader, Source
from client.backfill.tuner import Tuner
from client.backfill.window import Window

#: Rows that are written already are passed over in portions.
_PASSED_ROWS = 4096

#: Sent again, rows are what they were, whatever their size.
_ANY_BYTES = 1 << 40


class Feeder:
    """Goes through the input, from where the run stands to its end.

    Args:
        fixed_rows: The only number of rows that a job may have; None: as the tuner says.
    """

    def __init__(
        self,
        source: Source,
        course: Course,
        window: Window,
        tuner: Tuner,
        sender: Sender,
        scorer: Scorer,
        fixed_rows: int | None,
    ) -> None:
        self._source = source
        self._course = course
        self._window = window
        self._tuner = tuner
        self._sender = sender
        self._scorer = scorer
        self._fixed_rows = fixed_rows
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")

    async def run(self) -> None:
        """Return when all rows were read; their jobs are under way.

        Raises:
            InputError: The input cannot be read any further.
        """
        loop = asyncio.get_running_loop()
        reader = self._source.read(self._course.position)
        try:
            while leg := await self._next_leg():
                rows = await loop.run_in_executor(self._thread, _read, reader, leg)
                if not rows:
                    break
                await self._take(rows, leg)
        finally:
            self._thread.shutdown()
            reader.close()
        await self._window.close()

    async def _next_leg(self) -> Leg | None:
        await self._window.room(self._rows_per_job)
        return self._course.next_leg(self._rows_per_job)

    @property
    def _rows_per_job(self) -> int:
        return self._fixed_rows or self._tuner.rows

    async def _take(self, rows: Rows, leg: Leg) -> None:
        self._course.passed(rows[-1].end)
        if leg.is_written:
            return
        submitted = leg.submitted
        for item in rows:
            if isinstance(item, UnreadRow):
                await self._scorer.refuse(item)
            elif submitted and (item.first, len(item)) == (submitted.first, submitted.rows):
                await self._sender.launch(Flight(item, submitted.idempotency_key, is_resumed=True))
            else:
                await self._sender.launch(Flight.of(item, self._sender.run))


def _read(reader: Reader, leg: Leg) -> Rows:
    most_rows = min(leg.rows, _PASSED_ROWS) if leg.is_written else leg.rows
    return reader.next(most_rows, _ANY_BYTES if leg.submitted else MOST_JOB_BYTES)
