"""Rows that have ended: written, counted, and out of the window."""

from __future__ import annotations

from client.backfill.answers import Answers
from client.backfill.chunk import RowChunk, UnreadRow
from client.backfill.error_file import Failure
from client.backfill.journal import Journal
from client.backfill.tally import Tally
from client.backfill.window import Window
from client.errors import ClientError

#: What the line of a failed row takes in memory until it is written, about.
_FAILED_ROW_BYTES = 512


class TooManyFailures(ClientError):
    """More rows failed than the user would have."""


class Scorer:
    """Takes what became of rows.

    Args:
        most_failures: More failed rows than that end the run; None: however many.
    """

    def __init__(self, journal: Journal, window: Window, tally: Tally, most_failures: int | None) -> None:
        self._journal = journal
        self._window = window
        self._tally = tally
        self._most_failures = most_failures

    async def settle(self, chunk: RowChunk, outcome: Answers | Failure, job_id: str | None) -> None:
        """Write the rows of a job.

        Raises:
            TooManyFailures: These were the ones too many; they are written.
        """
        await self._journal.settle(chunk.first, chunk.keys, outcome, job_id)
        await self._window.written(self._journal.next_position, self._alone(chunk.first))
        if isinstance(outcome, Failure):
            self._failed(len(chunk), outcome)
        else:
            self._tally.done += len(chunk)

    async def refuse(self, row: UnreadRow) -> None:
        """Write a row that cannot be read."""
        failure = Failure("unreadable", row.reason)
        await self._window.hold(row.position, row.end, _FAILED_ROW_BYTES)
        await self._journal.settle(row.position, [row.key], failure, None)
        await self._window.written(self._journal.next_position, self._alone(row.position))
        self._failed(1, failure)

    def _alone(self, first: int) -> int | None:
        return None if self._journal.is_ordered else first

    def _failed(self, rows: int, failure: Failure) -> None:
        self._tally.failed += rows
        failed = self._tally.found_failed + self._tally.failed
        if self._most_failures is not None and failed > self._most_failures:
            raise TooManyFailures(
                f"{failed} rows failed, and --max-failures is {self._most_failures}. The last one: {failure.message}"
            )
