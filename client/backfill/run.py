"""One process's part of a backfill, from where the run stands to its end, or to where it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from client.async_celeriac import AsyncCeleriac
from client.backfill.collector import Collector
from client.backfill.course import Course
from client.backfill.feeder import Feeder
from client.backfill.journal import Journal
from client.backfill.order import Order
from client.backfill.scorer import Scorer
from client.backfill.sender import Sender
from client.backfill.source import Source
from client.backfill.tally import Tally
from client.backfill.tuner import Bounds, Tuner
from client.backfill.watcher import Watcher
from client.backfill.window import Window
from client.errors import CheckpointError, ClientError, OutputError, TooManyJobs
from client.retry import Patience

#: How often rows become durable, and the server may forget their results.
_SAVE_S = 1.0

#: At the end of a run that is cut short, results that cannot be deleted now are by the next one.
_LAST_FREE = Patience(total_s=0.0)


class Stopped(ClientError):
    """The user has stopped the run."""


@dataclass(frozen=True)
class Parts:
    """What a run is made of.

    Attributes:
        client: Patient with a server that is away.
        order: What each job is.
        source: The rows.
        course: Which of them, from where.
        journal: Where they are written.
        tally: Counts them.
        bounds: Of the rows of a job.
        workers: How many compute the model.
        most_failures: More failed rows than that end the run; None: however many.
        tell: Says a sentence to the user.
    """

    client: AsyncCeleriac
    order: Order
    source: Source
    course: Course
    journal: Journal
    tally: Tally
    bounds: Bounds
    workers: int
    most_failures: int | None
    tell: Callable[[str], None]


class Run:
    """Brings all rows through the model.

    Attributes:
        stop: Set, the run ends as soon as it can: what has settled is made durable.
    """

    def __init__(self, parts: Parts) -> None:
        self.stop = asyncio.Event()
        self._is_over = asyncio.Event()
        self._parts = parts
        self._window = Window(parts.workers)
        self._tuner = Tuner(parts.bounds)

    @property
    def jobs_left(self) -> int:
        """How many jobs are on the server."""
        return len(self._window.taken)

    async def to_end(self) -> None:
        """Return when each row is in the output or the error file, and these are complete.

        Raises:
            ClientError: Why it ended before; the same command goes on from there.
        """
        try:
            await self._all_rows()
        except (OutputError, CheckpointError):
            # What these files hold beyond the last save is not known.
            raise
        except BaseException:
            # Whatever ended it: what has settled need not be done again.
            await self._save_the_rest()
            raise
        await self._save(self._parts.client)
        await self._parts.journal.finish()

    def troubled(self, error: ClientError) -> None:
        """The server refused something for now, or is away."""
        if isinstance(error, TooManyJobs):
            self._window.slow_down(self._tuner.rows)
        self._parts.tell(f"{error} Trying again.")

    async def _all_rows(self) -> None:
        parts, window, tuner = self._parts, self._window, self._tuner
        try:
            async with asyncio.TaskGroup() as tasks:
                scorer = Scorer(parts.journal, window, parts.tally, parts.most_failures)
                sender = Sender(parts.client, parts.order, window, tuner, parts.journal, scorer, tasks)
                fixed_rows = parts.order.fixed_rows
                feeder = Feeder(parts.source, parts.course, window, tuner, sender, scorer, fixed_rows)
                collector = Collector(parts.client, parts.order, window, tuner, sender)
                watcher = Watcher(parts.client, parts.order, parts.tally, tuner, parts.tell)
                beside = [tasks.create_task(one) for one in (self._stopping(), watcher.run())]
                tasks.create_task(self._saving())
                tasks.create_task(feeder.run())
                await collector.run()
                self._is_over.set()
                for one in beside:
                    one.cancel()
        except BaseExceptionGroup as group:
            raise _first_of(group) from None

    async def _stopping(self) -> None:
        await self.stop.wait()
        raise Stopped("Stopped.")

    async def _saving(self) -> None:
        while not self._is_over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), _SAVE_S)
            await self._save(self._parts.client)

    async def _save(self, client: AsyncCeleriac) -> None:
        # Only after the rows are durable: until then the results are the only copy.
        job_ids = await self._parts.journal.save()
        if job_ids:
            await client.free(job_ids)
            await self._parts.journal.freed(job_ids)

    async def _save_the_rest(self) -> None:
        """What cannot be saved or freed now is done again, or freed, by the next run."""
        with suppress(ClientError):
            await self._save(self._parts.client.patient(_LAST_FREE))


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What ended the run: of several errors at once the first."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
