"""`delay` in a loop, `get` in a loop."""

from __future__ import annotations

from collections.abc import Sequence

from celery.result import AsyncResult

from benchmarks.contestants.plain_celery.app import predict
from benchmarks.desk import Array, npy


class Desk:
    """See `benchmarks.desk.Desk`."""

    def __init__(self) -> None:
        self._results: list[AsyncResult[list[float]]] = []

    def submit(self, rows: Sequence[Array]) -> None:
        """One call of `delay` a job."""
        self._results += [predict.delay(npy(row)) for row in rows]

    def collect(self) -> list[list[float]]:
        """Results in order."""
        answers = [result.get(timeout=30) for result in self._results]
        self._results = []
        return answers
