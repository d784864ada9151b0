"""Jobs through the batcher: looked at, ready, in a batch, lost, withdrawn."""

from __future__ import annotations

import threading
from time import monotonic

from tasks.batching.batcher import Batcher
from tasks.job import Lane
from tests.batchers import Call, add_all, bulk, entry, make_batcher, make_ready, names
from tests.system import eventually


def test_jobs_of_each_lane_are_looked_at_in_their_order(batcher: Batcher) -> None:
    add_all(batcher, bulk("b1"), entry("a1"), bulk("b2"), entry("a2"), entry("a3"))
    # When jobs of both lanes are being looked at, none waits for those of the other
    assert names(batcher.next_waiting(Lane.BULK, 1)) == ["b1"]
    assert names(batcher.next_waiting(Lane.INTERACTIVE, 2)) == ["a1", "a2"]
    batcher.put_ready(Lane.INTERACTIVE, [])
    assert names(batcher.next_waiting(Lane.INTERACTIVE, 2)) == ["a3"]
    batcher.put_ready(Lane.BULK, [])
    assert names(batcher.next_waiting(Lane.BULK, 2)) == ["b2"]


def test_of_jobs_with_many_rows_fewer_are_looked_at_at_once(batcher: Batcher) -> None:
    # Given bulk jobs of eight rows, and interactive ones of one
    make_ready(batcher, entry("b0", Lane.BULK, rows=8), entry("a0"))
    add_all(batcher, *(bulk(f"b{number}") for number in range(1, 5)), *(entry(f"a{number}") for number in range(1, 5)))
    # When about sixteen rows are to be looked at
    assert names(batcher.next_waiting(Lane.BULK, 16)) == ["b1", "b2"]
    # Then that goes by the jobs of the lane, and it is at least one
    assert names(batcher.next_waiting(Lane.INTERACTIVE, 16)) == ["a1", "a2", "a3", "a4"]
    batcher.put_ready(Lane.BULK, [])
    assert names(batcher.next_waiting(Lane.BULK, 1)) == ["b3"]


def test_what_was_looked_at_in_part_is_looked_at_again_in_its_place(batcher: Batcher) -> None:
    first, second, third = entry("a1"), entry("a2"), entry("a3")
    add_all(batcher, first, second, third)
    assert batcher.next_waiting(Lane.INTERACTIVE, 2) == [first, second]
    batcher.put_ready(Lane.INTERACTIVE, [first], later=[second])
    assert batcher.next_waiting(Lane.INTERACTIVE, 9) == [second, third]


def test_a_batch_is_of_ready_jobs_and_of_one_lane(batcher: Batcher) -> None:
    make_ready(batcher, bulk("b1"), *(entry(f"a{number}") for number in range(5)))
    assert names(batcher.next_batch()) == ["a0", "a1", "a2", "a3"]
    assert names(batcher.next_batch()) == ["a4"]
    assert names(batcher.next_batch()) == ["b1"]


def test_the_runner_is_woken_by_a_ready_job_and_the_loader_by_a_claimed_one(batcher: Batcher) -> None:
    loader, runner = Call(lambda: batcher.next_waiting(Lane.INTERACTIVE, 9)), Call(batcher.next_batch)
    batcher.add(entry("a"))
    looked_at = loader.answer()
    assert names(looked_at) == ["a"] and not runner.answers
    batcher.put_ready(Lane.INTERACTIVE, looked_at)
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


def test_a_batch_that_a_suspect_holds_up_begins_when_the_suspect_has_run(batcher: Batcher) -> None:
    # Given a suspect that runs, and a whole batch that is ready on another thread
    suspect = entry("suspect")
    suspect.is_suspect, suspect.group = True, None
    make_ready(batcher, suspect, *(entry(f"a{number}") for number in range(8)))
    assert names(batcher.next_batch()) == ["suspect"]
    other = Call(batcher.next_batch)
    assert not other.answers
    # When it has run, then both threads have a batch
    assert sorted(names(batcher.next_batch() + other.answer())) == [f"a{number}" for number in range(8)]


def test_closing_wakes_all_and_hands_out_nothing_more(batcher: Batcher) -> None:
    loader, runner = Call(lambda: batcher.next_waiting(Lane.INTERACTIVE, 9)), Call(batcher.next_batch)
    batcher.close()
    assert (loader.answer(), runner.answer()) == ([], [])
    batcher.add(entry("a"))
    assert (batcher.next_waiting(Lane.INTERACTIVE, 9), batcher.wanted().number) == ([], 0)
    assert names(batcher.withdraw()) == ["a"]


def test_jobs_that_another_worker_has_are_left_out_wherever_they_are(batcher: Batcher, forgotten: list[object]) -> None:
    # Given jobs that are ready, being looked at, and waiting, two of each
    make_ready(batcher, entry("ready"), entry("ready too"))
    add_all(batcher, bulk("loading"), bulk("loading too"))
    looked_at = batcher.next_waiting(Lane.BULK, 9)
    add_all(batcher, entry("waiting"), entry("waiting too"))
    # When one of each is lost
    batcher.lost(frozenset({"tag of ready", "tag of loading", "tag of waiting", "tag of nobody"}))
    batcher.put_ready(Lane.BULK, looked_at)
    # Then the others are left, and Celery is told to forget it
    assert sorted(names(batcher.unfinished())) == ["loading too", "ready too", "waiting too"]
    assert sorted(map(str, forgotten)) == ["request of loading", "request of ready", "request of waiting"]


def test_a_job_that_is_lost_while_it_is_looked_at_is_not_looked_at_again(batcher: Batcher) -> None:
    batcher.add(entry("a"))
    looked_at = batcher.next_waiting(Lane.INTERACTIVE, 9)
    batcher.lost(frozenset({"tag of a"}))
    batcher.put_ready(Lane.INTERACTIVE, [], later=looked_at)
    assert batcher.unfinished() == []


def test_what_is_withdrawn_is_all_that_has_not_begun_and_nobodys_then(batcher: Batcher) -> None:
    make_ready(batcher, *(entry(f"a{number}") for number in range(6)))
    assert len(batcher.next_batch()) == 4
    add_all(batcher, bulk("b1"), bulk("b2"))
    looked_at = batcher.next_waiting(Lane.BULK, 1)
    assert names(batcher.withdraw()) == ["a4", "a5", "b1", "b2"]
    batcher.put_ready(Lane.BULK, looked_at)
    assert batcher.unfinished() == batcher.withdraw() == []


def test_many_threads_lose_and_double_nothing(pauses: list[float], forgotten: list[object]) -> None:
    # Given loaders and a runner at work
    batcher = make_batcher(pauses, forgotten)
    run: list[str] = []

    def load(lane: Lane) -> None:
        while looked_at := batcher.next_waiting(lane, 7):
            batcher.put_ready(lane, looked_at[:3], later=looked_at[3:])

    def compute() -> None:
        while batch := batcher.next_batch():
            run.extend(names(batch))

    loaders = [threading.Thread(target=load, args=(lane,)) for lane in Lane]
    threads = [*loaders, threading.Thread(target=compute)]
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
