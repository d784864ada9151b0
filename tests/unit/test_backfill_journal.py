"""What a run writes down, also when it is cancelled while it writes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from client.backfill.chunk import RowChunk
from client.backfill.flight import Flight
from client.backfill.journal import Journal
from client.backfill.run_state import RunState
from tests.backfill_run import Run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with closing(Run(tmp_path / "out.jsonl")) as run:
        yield run


def state_of(run: Run) -> RunState:
    state = run.checkpoint.load()
    assert state is not None
    return state


@pytest.mark.parametrize("has_begun", [True, False])
def test_a_save_that_is_cancelled_forgets_no_result_that_the_server_still_has(run: Run, has_begun: bool) -> None:
    async def cancelled_and_again() -> tuple[list[str], tuple[str, ...]]:
        journal = Journal(run.recorder, run.checkpoint, True, ())
        flight = Flight.of(RowChunk(0, ["a", "b"], {"x": np.zeros((2, 3))}), "run")
        await journal.submitting([flight])
        journal.taken(flight.taken_as("job-1"))
        await journal.settle(0, ["a", "b"], {"y": np.zeros((2, 1))}, "job-1")
        # Given a save whose thread is held up, at its own step or by one before it
        free = threading.Event()
        holding = asyncio.create_task(journal._run(free.wait))
        saving = asyncio.create_task(journal.save())
        await asyncio.sleep(0.05)
        if has_begun:
            free.set()
        # When it is cancelled there
        saving.cancel()
        free.set()
        await asyncio.wait([saving, holding])
        # Then the next one names the results to be deleted, and so does the checkpoint
        found = list(await journal.save())
        unfreed = state_of(run).unfreed
        await journal.close()
        return found, unfreed

    assert asyncio.run(cancelled_and_again()) == (["job-1"], ("job-1",))
    assert state_of(run).pending == ()
