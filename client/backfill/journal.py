"""What a run writes down: its rows, what is on its way, and which results the server may forget.

Files and database take their time, so this has a thread of its own; the event loop goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from client.backfill.answers import Answers
from client.backfill.checkpoint import Checkpoint
from client.backfill.error_file import Failure
from client.backfill.flight import Flight
from client.backfill.recorder import Recorder, Settled
from client.backfill.run_state import SubmittedChunk

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Journal:
    """The recorder and the checkpoint of a run, for its event loop. What fails is raised where it is awaited."""

    def __init__(self, recorder: Recorder, checkpoint: Checkpoint, is_ordered: bool, unfreed: Sequence[str]) -> None:
        self._recorder = recorder
        self._checkpoint = checkpoint
        self.is_ordered = is_ordered
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        #: Jobs whose ids the checkpoint does not have yet.
        self._taken: list[SubmittedChunk] = []
        #: The position after the last row of jobs whose results were settled, and their ids.
        self._answered: list[tuple[int, str]] = []
        self._unfreed = list(unfreed)

    @property
    def next_position(self) -> int:
        """The first row that is not settled."""
        return self._recorder.next_position

    @property
    def takes_documents(self) -> bool:
        """Whether the output holds a JSON document a row."""
        return self._recorder.takes_documents

    def taken(self, flight: Flight) -> None:
        """The server has a job for it. Written with what comes next: without it, the job is found by its key."""
        self._taken.append(flight.journal)

    async def submitting(self, flights: Iterable[Flight]) -> None:
        """Remember rows before they are sent."""
        chunks = [flight.journal for flight in flights]
        firsts = {chunk.first for chunk in chunks}
        # What had these rows before is over.
        self._taken = [chunk for chunk in self._taken if chunk.first not in firsts]
        await self._run(self._checkpoint.record_submitted, chunks)

    async def settle(self, first: int, keys: Sequence[str], outcome: Answers | Failure, job_id: str | None) -> None:
        """Write rows that have ended, or hold them until those before them have; `job_id`: whose results they are."""
        await self._run(self._recorder.settle, Settled(first, keys, outcome))
        if job_id is not None:
            self._answered.append((first + len(keys), job_id))

    async def save(self) -> Sequence[str]:
        """Make all rows durable that were written; the jobs whose results nobody needs any more."""
        taken, self._taken = self._taken, []
        answered, self._answered = self._answered, []
        try:
            # It is done in any case: what was taken must not be forgotten, nor noted a second time.
            written_end = await asyncio.shield(self._run(self._save, taken))
        except BaseException:
            self._answered = answered + self._answered
            raise
        self._answered += [one for one in answered if self.is_ordered and one[0] > written_end]
        self._unfreed += [job_id for end, job_id in answered if not (self.is_ordered and end > written_end)]
        return list(self._unfreed)

    def _save(self, taken: Sequence[SubmittedChunk]) -> int:
        self._checkpoint.record_submitted(taken)
        self._recorder.flush()
        return self._recorder.next_position

    async def freed(self, job_ids: Sequence[str]) -> None:
        """The server has forgotten the results of these."""
        self._unfreed = self._unfreed[len(job_ids) :]
        await self._run(self._checkpoint.record_freed, job_ids)

    async def finish(self) -> None:
        """Complete the output: all rows have settled."""
        await self._run(self._recorder.finish)

    async def close(self) -> None:
        """Let go of the thread, after what it does."""
        await self._run(lambda: None)
        self._thread.shutdown()

    async def _run(self, step: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: step(*args, **named))
