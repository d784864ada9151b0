"""Bringing rows to the server as jobs, and what is done about those that it refuses or fails."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import asdict

from client.async_celeriac import AsyncCeleriac
from client.backfill.answers import Answers
from client.backfill.cargo import payload_of
from client.backfill.error_file import Failure
from client.backfill.flight import Flight
from client.backfill.journal import Journal
from client.backfill.order import Order
from client.backfill.scorer import Scorer
from client.backfill.tuner import Tuner
from client.backfill.verdict import Verdict, is_of_size, judge, refusal
from client.backfill.window import Window
from client.errors import ApiError, ClientError
from client.job import AsyncJob

#: A request's body is in memory some times over while it is encoded and sent.
_SENT_AT_ONCE = 2


class Sender:
    """Sends rows until each has settled, alone if need be.

    Args:
        tasks: Where the requests run beside each other; an error of one ends all.
    """

    def __init__(
        self,
        client: AsyncCeleriac,
        order: Order,
        window: Window,
        tuner: Tuner,
        journal: Journal,
        scorer: Scorer,
        tasks: asyncio.TaskGroup,
    ) -> None:
        #: Of this process: its keys are nobody else's.
        self.run = uuid.uuid4().hex
        self._client = client
        self._order = order
        self._window = window
        self._tuner = tuner
        self._journal = journal
        self._scorer = scorer
        self._tasks = tasks
        self._gate = asyncio.Semaphore(_SENT_AT_ONCE)

    async def launch(self, *flights: Flight) -> None:
        """Submit rows, which are remembered first: whatever happens then, the job is found again."""
        await self._journal.submitting(flights)
        for flight in flights:
            await self._window.put(flight)
            self._tasks.create_task(self._send(flight))

    async def _send(self, flight: Flight) -> None:
        try:
            async with self._gate:
                job = await self._submit(flight)
        except ApiError as error:
            if error.is_temporary:
                raise
            await self.remedy(flight, refusal(error))
            return
        taken = flight.taken_as(job.id)
        self._journal.taken(taken)
        await self._window.put(taken)

    async def _submit(self, flight: Flight) -> AsyncJob:
        order = self._order
        return await self._client.submit(
            order.model,
            payload_of(flight.chunk, order.fixed_rows),
            version=order.version,
            idempotency_key=flight.key,
            **asdict(order.options),
        )

    async def remedy(self, flight: Flight, failure: Failure) -> None:
        """Do about a failure what can be done.

        Raises:
            ClientError: All other rows would fail the same way.
        """
        if is_of_size(failure) and not flight.is_part:
            self._tuner.too_large(len(flight.chunk))
        verdict = judge(failure, len(flight.chunk), flight.tries, flight.is_resumed)
        if verdict is Verdict.CUT:
            await self.launch(*flight.halves(self.run))
        elif verdict is Verdict.AGAIN:
            await self.launch(flight.again(self.run))
        elif verdict is Verdict.FAIL:
            await self.settle(flight, failure, 0)
        else:
            raise ClientError(f"The server takes no more rows ({failure.type}): {failure.message}")

    async def settle(self, flight: Flight, outcome: Answers | Failure, answer_bytes: int) -> None:
        """The rows have ended; write them, while others go on."""
        await self._window.ended(flight, answer_bytes)
        self._tasks.create_task(self._scorer.settle(flight.chunk, outcome, flight.job_id))
