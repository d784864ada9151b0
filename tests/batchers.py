"""What tests of the batcher need: one with small batches, jobs for it, a clock that they move."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tasks.batching.batcher import Batcher
from tasks.batching.entry import Entry
from tasks.deliveries import Delivery
from tasks.job import Lane


class Clock:
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def make_batcher(pauses: list[float], forgotten: list[object], max_wait_s: float = 0.0) -> Batcher:
    return Batcher(
        max_rows=lambda: 4,
        max_wait_s=lambda: max_wait_s,
        bulk_patience_s=30.0,
        ask_again=pauses.append,
        forget=forgotten.append,
    )


def entry(name: str, lane: Lane = Lane.INTERACTIVE, rows: int = 1) -> Entry:
    request = f"request of {name}"
    return Entry(request, Delivery(f"tag of {name}", "token", name), lane, rows=rows, group="floats")


def bulk(name: str) -> Entry:
    return entry(name, Lane.BULK)


def names(entries: list[Entry]) -> list[str]:
    return [entry.delivery.job_id for entry in entries]


def add_all(batcher: Batcher, *entries: Entry) -> None:
    for one in entries:
        batcher.add(one)


def make_ready(batcher: Batcher, *entries: Entry) -> None:
    add_all(batcher, *entries)
    for lane in Lane:
        left = sum(one.lane is lane for one in entries)
        while left:
            looked_at = batcher.next_waiting(lane, 1000)
            batcher.put_ready(lane, looked_at)
            left -= len(looked_at)


class Call:
    """A call that may have to wait, on a thread of its own."""

    def __init__(self, call: Callable[[], list[Entry]]) -> None:
        self.answers: list[list[Entry]] = []
        self._thread = threading.Thread(target=lambda: self.answers.append(call()), daemon=True)
        self._thread.start()

    def answer(self) -> list[Entry]:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.answers[0]
