from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

import pytest

from tasks.batching import batcher as batcher_module
from tasks.batching.batcher import Batcher
from tasks.batching.entry import Entry
from tasks.deliveries import Delivery
from tasks.job import Lane
from tasks.transport.scripts import MOST_AT_ONCE
from tests.system import eventually


class Clock:
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(batcher_module, "monotonic", clock)
    return clock


@pytest.fixture
def pauses() -> list[float]:
    """What the batcher has asked to be asked again after."""
    return []


@pytest.fixture
def forgotten() -> list[object]:
    """The requests that another worker has now."""
    return []


@pytest.fixture
def batcher(clock: Clock, pauses: list[float], forgotten: list[object]) -> Batcher:
    return make_batcher(pauses, forgotten)


def make_batcher(pauses: list[float], forgotten: list[object], max_wait_s: float = 0.0) -> Batcher:
    return Batcher(
        max_rows=lambda: 4,
        max_wait_s=max_wait_s,
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
    left = len(entries)
    while left:
        looked_at = batcher.next_waiting(1000)
        batcher.put_ready(looked_at)
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


def test_jobs_are_looked_at_interactive_ones_first_and_each_lane_in_its_order(batcher: Batcher) -> None:
    add_all(batcher, bulk("b1"), entry("a1"), bulk("b2"), entry("a2"), entry("a3"))
    looked_at = []
    for _ in range(3):
        looked_at.append(names(batcher.next_waiting(2)))
        batcher.put_ready([])
    assert looked_at == [["a1", "a2"], ["a3"], ["b1", "b2"]]


def test_what_was_looked_at_in_part_is_looked_at_again_in_its_place(batcher: Batcher) -> None:
    first, second, third = entry("a1"), entry("a2"), entry("a3")
    add_all(batcher, first, second, third)
    assert batcher.next_waiting(2) == [first, second]
    batcher.put_ready([first], later=[second])
    assert batcher.next_waiting(9) == [second, third]


def test_a_batch_is_of_ready_jobs_and_of_one_lane(batcher: Batcher) -> None:
    make_ready(batcher, bulk("b1"), *(entry(f"a{number}") for number in range(5)))
    assert names(batcher.next_batch()) == ["a0", "a1", "a2", "a3"]
    assert names(batcher.next_batch()) == ["a4"]
    assert names(batcher.next_batch()) == ["b1"]


def test_the_runner_is_woken_by_a_ready_job_and_the_loader_by_a_claimed_one(batcher: Batcher) -> None:
    loader, runner = Call(lambda: batcher.next_waiting(9)), Call(batcher.next_batch)
    batcher.add(entry("a"))
    looked_at = loader.answer()
    assert names(looked_at) == ["a"] and not runner.answers
    batcher.put_ready(looked_at)
    assert names(runner.answer()) == ["a"]


def test_a_batch_that_may_wait_is_taken_as_soon_as_it_is_full(pauses: list[float], forgotten: list[object]) -> None:
    # Given a batcher whose batches may wait for a minute
    batcher = make_batcher(pauses, forgotten, max_wait_s=60.0)
    one = entry("a")
    one.ready_s = monotonic()
    make_ready(batcher, one)
    runner = Call(batcher.next_batch)
    assert not runner.answers
    # When the batch is full
    make_ready(batcher, entry("b", rows=3))
    # Then it is taken
    assert names(runner.answer()) == ["a", "b"]


def test_a_batch_that_never_fills_is_taken_when_its_wait_is_over(pauses: list[float], forgotten: list[object]) -> None:
    batcher = make_batcher(pauses, forgotten, max_wait_s=0.05)
    one = entry("a")
    one.ready_s = monotonic()
    make_ready(batcher, one)
    assert names(Call(batcher.next_batch).answer()) == ["a"]
    assert monotonic() >= one.ready_s + 0.05


def test_closing_wakes_all_and_hands_out_nothing_more(batcher: Batcher) -> None:
    loader, runner = Call(lambda: batcher.next_waiting(9)), Call(batcher.next_batch)
    batcher.close()
    assert (loader.answer(), runner.answer()) == ([], [])
    batcher.add(entry("a"))
    assert (batcher.next_waiting(9), batcher.wanted()) == ([], 0)
    assert names(batcher.withdraw()) == ["a"]


def test_jobs_that_another_worker_has_are_left_out_wherever_they_are(batcher: Batcher, forgotten: list[object]) -> None:
    # Given jobs that are ready, being looked at, and waiting, two of each
    make_ready(batcher, entry("ready"), entry("ready too"))
    add_all(batcher, bulk("loading"), bulk("loading too"))
    looked_at = batcher.next_waiting(9)
    add_all(batcher, entry("waiting"), entry("waiting too"))
    # When one of each is lost
    batcher.lost(frozenset({"tag of ready", "tag of loading", "tag of waiting", "tag of nobody"}))
    batcher.put_ready(looked_at)
    # Then the others are left, and Celery is told to forget it
    assert sorted(names(batcher.unfinished())) == ["loading too", "ready too", "waiting too"]
    assert sorted(map(str, forgotten)) == ["request of loading", "request of ready", "request of waiting"]


def test_a_job_that_is_lost_while_it_is_looked_at_is_not_looked_at_again(batcher: Batcher) -> None:
    batcher.add(entry("a"))
    looked_at = batcher.next_waiting(9)
    batcher.lost(frozenset({"tag of a"}))
    batcher.put_ready([], later=looked_at)
    assert batcher.unfinished() == []


def test_what_is_withdrawn_is_all_that_has_not_begun_and_nobodys_then(batcher: Batcher) -> None:
    make_ready(batcher, *(entry(f"a{number}") for number in range(6)))
    assert len(batcher.next_batch()) == 4
    add_all(batcher, bulk("b1"), bulk("b2"))
    looked_at = batcher.next_waiting(1)
    assert names(batcher.withdraw()) == ["a4", "a5", "b1", "b2"]
    batcher.put_ready(looked_at)
    assert batcher.unfinished() == batcher.withdraw() == []


def test_an_idle_worker_wants_two_batches_at_once(batcher: Batcher, pauses: list[float]) -> None:
    assert batcher.wanted() == batcher.wanted() == 8
    assert pauses == []


def test_what_is_held_counts_wherever_it_is_but_in_the_model(batcher: Batcher, clock: Clock) -> None:
    make_ready(batcher, entry("ready"), entry("ready too"))
    add_all(batcher, entry("loading"))
    batcher.next_waiting(1)
    add_all(batcher, entry("waiting"))
    assert batcher.wanted() == 4
    assert names(batcher.next_batch()) == ["ready", "ready too"]
    clock.now_s += 1
    assert batcher.wanted() == 6


def test_while_jobs_are_run_claims_are_a_pause_apart(batcher: Batcher, clock: Clock, pauses: list[float]) -> None:
    # Given a worker that has just claimed and runs a batch
    assert batcher.wanted() == 8
    make_ready(batcher, entry("a"))
    batcher.next_batch()
    # Then it wants nothing for a moment, and asks to be asked then
    assert batcher.wanted() == 0
    assert pauses == [pytest.approx(batcher_module.CLAIM_PAUSE_S)]
    clock.now_s += batcher_module.CLAIM_PAUSE_S
    assert batcher.wanted() == 8


def test_a_runner_that_has_run_dry_asks_for_a_claim_at_once(batcher: Batcher, pauses: list[float]) -> None:
    make_ready(batcher, entry("a"))
    runner = Call(lambda: batcher.next_batch() and batcher.next_batch())
    eventually(lambda: pauses == [0.0], 10)
    batcher.close()
    assert runner.answer() == []


def test_one_claim_is_never_larger_than_a_script_takes() -> None:
    batcher = Batcher(lambda: 100_000, 0.0, 30.0, lambda pause_s: None, lambda request: None)
    assert batcher.wanted() == MOST_AT_ONCE


def test_fewer_messages_are_wanted_once_jobs_turned_out_to_have_many_rows(batcher: Batcher, clock: Clock) -> None:
    for number in range(40):
        make_ready(batcher, entry(f"a{number}", rows=4))
        batcher.next_batch()
    clock.now_s += 1
    assert batcher.wanted() <= 3


def test_bulk_jobs_run_when_their_patience_is_over_and_not_before(batcher: Batcher, clock: Clock) -> None:
    # Given bulk jobs, and interactive ones that keep coming, a batch of them each second
    make_ready(batcher, *(bulk(f"b{number}") for number in range(8)))
    lanes = []
    for second in range(62):
        make_ready(batcher, *(entry(f"a{second}.{index}") for index in range(4)))
        lanes.append(batcher.next_batch()[0].lane)
        clock.now_s += 1
    # Then one batch of bulk jobs runs each 30 s
    assert [second for second, lane in enumerate(lanes) if lane is Lane.BULK] == [30, 60]


def test_bulk_jobs_that_are_due_are_claimed_and_looked_at_first(batcher: Batcher, clock: Clock) -> None:
    add_all(batcher, entry("a"), bulk("b"))
    clock.now_s += 29.9
    assert not batcher.bulk_first()
    clock.now_s += 0.1
    assert batcher.bulk_first()
    assert names(batcher.next_waiting(9)) == ["b"]


def test_an_empty_queue_holds_no_bulk_job_up(batcher: Batcher, clock: Clock) -> None:
    # Given a worker that has had no bulk job for long
    clock.now_s += 100
    # When nothing waits for it
    batcher.emptied()
    # Then a bulk job that comes now begins to wait now
    clock.now_s += 29
    assert not batcher.bulk_first()


def test_time_without_any_job_is_no_time_that_bulk_jobs_were_held_up(batcher: Batcher, clock: Clock) -> None:
    # Given a worker that has had nothing to do since its last bulk job
    make_ready(batcher, bulk("b"))
    batcher.emptied()
    assert names(batcher.next_batch()) == ["b"]
    clock.now_s += 100
    # When jobs of both lanes come
    make_ready(batcher, entry("a"), bulk("b2"))
    # Then the interactive one runs first
    assert names(batcher.next_batch()) == ["a"]


@pytest.mark.parametrize("is_ready", [True, False])
def test_bulk_jobs_that_were_claimed_are_held_up_although_the_queue_is_empty(
    batcher: Batcher, clock: Clock, is_ready: bool
) -> None:
    make_ready(batcher, bulk("b")) if is_ready else batcher.add(bulk("b"))
    clock.now_s += 29
    batcher.emptied()
    clock.now_s += 1
    assert batcher.bulk_first()


def test_bulk_jobs_being_looked_at_are_held_up_too(batcher: Batcher, clock: Clock) -> None:
    batcher.add(bulk("b"))
    batcher.next_waiting(1)
    clock.now_s += 29
    batcher.emptied()
    clock.now_s += 1
    assert batcher.bulk_first()


def test_many_threads_lose_and_double_nothing(pauses: list[float], forgotten: list[object]) -> None:
    # Given a loader and a runner at work
    batcher = make_batcher(pauses, forgotten)
    run: list[str] = []

    def load() -> None:
        while looked_at := batcher.next_waiting(7):
            batcher.put_ready(looked_at[:3], later=looked_at[3:])

    def compute() -> None:
        while batch := batcher.next_batch():
            run.extend(names(batch))

    threads = [threading.Thread(target=target) for target in (load, compute)]
    for thread in threads:
        thread.start()
    # When jobs are added, and some are lost
    lost = [f"tag of {number}" for number in range(0, 2000, 10)]
    for number in range(2000):
        batcher.add(entry(str(number), list(Lane)[number % 2]))
        if number % 100 == 99:
            batcher.lost(frozenset(lost[: number // 10 + 1]))
    eventually(lambda: len(run) + len(forgotten) == 2000)
    batcher.close()
    for thread in threads:
        thread.join(10)
    # Then each was run or lost, once
    assert sorted([*run, *(str(one).removeprefix("request of ") for one in forgotten)], key=int) == [
        str(number) for number in range(2000)
    ]
