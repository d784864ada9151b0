"""How much of a backfill is on its way at once."""

from __future__ import annotations

import asyncio

import numpy as np

from client.backfill.chunk import RowChunk
from client.backfill.flight import Flight
from client.backfill.window import JOBS_A_WORKER, MOST_JOBS, Window


def flight(first: int, rows: int = 4) -> Flight:
    chunk = RowChunk(first, [str(first + row) for row in range(rows)], {"x": np.zeros((rows, 10))})
    return Flight.of(chunk, "run")


async def has_room(window: Window, rows_per_job: int = 1000) -> bool:
    try:
        await asyncio.wait_for(window.room(rows_per_job), 0.01)
    except TimeoutError:
        return False
    return True


def test_there_is_room_for_some_jobs_of_each_worker_and_for_more_small_ones() -> None:
    assert Window(1).most_jobs(1000) == JOBS_A_WORKER
    assert Window(2).most_jobs(1000) == 2 * JOBS_A_WORKER
    assert Window(0).most_jobs(1000) == JOBS_A_WORKER
    assert Window(100).most_jobs(1000) == Window(1).most_jobs(1) == MOST_JOBS


def test_room_comes_back_when_jobs_end() -> None:
    async def story() -> None:
        window = Window(1)
        flights = [flight(first) for first in range(0, 4 * JOBS_A_WORKER, 4)]
        for one in flights:
            assert await has_room(window)
            await window.put(one)
        assert not await has_room(window)
        await window.ended(flights[0], 10)
        assert await has_room(window)

    asyncio.run(story())


def test_answers_that_are_not_written_take_room_until_they_are() -> None:
    async def story() -> None:
        window = Window(1, most_bytes=5000)
        early, late = flight(0), flight(4)
        await window.put(early)
        await window.put(late)
        await window.ended(late, 10_000)
        assert not await has_room(window)
        await window.written(4)
        assert not await has_room(window)
        await window.ended(early, 10)
        await window.written(8)
        assert await has_room(window)

    asyncio.run(story())


def test_a_row_of_any_size_has_room_when_nothing_else_is_on_its_way() -> None:
    async def story() -> None:
        window = Window(1, most_bytes=10)
        assert await has_room(window)
        await window.put(flight(0))
        assert not await has_room(window)

    asyncio.run(story())


def test_a_full_server_gets_half_as_many_jobs_and_then_slowly_more() -> None:
    async def story() -> None:
        window = Window(2)
        full = window.most_jobs(1000)
        window.slow_down(1000)
        window.slow_down(1000)
        assert window.most_jobs(1000) == full // 2
        for first in range(0, 4 * 8, 4):
            one = flight(first)
            await window.put(one)
            await window.ended(one, 10)
        assert window.most_jobs(1000) == full // 2 + 1

    asyncio.run(story())


def test_only_what_the_server_has_is_waited_for_and_nothing_when_all_is_over() -> None:
    async def story() -> None:
        window = Window(1)
        sent = flight(0)
        await window.put(sent)
        assert window.taken == {}
        taken = sent.taken_as("job")
        await window.put(taken)
        assert list(window.taken) == ["job"]
        assert await window.jobs_or_end()
        await window.close()
        await window.ended(taken, 0)
        assert not await window.jobs_or_end()

    asyncio.run(story())
