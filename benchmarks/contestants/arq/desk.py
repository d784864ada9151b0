"""`enqueue_job` in a loop, results by job."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from arq import create_pool

from benchmarks.contestants.arq.app import REDIS
from benchmarks.desk import Array, npy


class Desk:
    """See `benchmarks.desk.Desk`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._pool = self._loop.run_until_complete(create_pool(REDIS))
        self._jobs: list[Any] = []

    def submit(self, rows: Sequence[Array]) -> None:
        """One call of `enqueue_job` a job."""
        self._loop.run_until_complete(self._submit(rows))

    def collect(self) -> list[list[float]]:
        """Results in order."""
        return self._loop.run_until_complete(self._collect())

    async def _submit(self, rows: Sequence[Array]) -> None:
        for row in rows:
            self._jobs.append(await self._pool.enqueue_job("predict", npy(row)))

    async def _collect(self) -> list[list[float]]:
        answers = [await job.result(timeout=30, poll_delay=0.01) for job in self._jobs]
        self._jobs = []
        return answers
