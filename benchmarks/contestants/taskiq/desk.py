"""`kiq` in a loop, results by task."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from typing import Any

from benchmarks.contestants.taskiq.app import broker, predict
from benchmarks.desk import Array, npy


class Desk:
    """See `benchmarks.desk.Desk`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(broker.startup())
        self._tasks: list[Any] = []

    def submit(self, rows: Sequence[Array]) -> None:
        """One call of `kiq` a job."""
        self._loop.run_until_complete(self._submit(rows))

    def collect(self) -> list[list[float]]:
        """Results in order."""
        return self._loop.run_until_complete(self._collect())

    async def _submit(self, rows: Sequence[Array]) -> None:
        for row in rows:
            self._tasks.append(await predict.kiq(base64.b64encode(npy(row)).decode()))

    async def _collect(self) -> list[list[float]]:
        answers = [(await task.wait_result(timeout=30)).return_value for task in self._tasks]
        self._tasks = []
        return answers
