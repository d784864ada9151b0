"""What the batcher has claimed: how much, how often, and from which lane."""

from __future__ import annotations

import pytest

from tasks.batching import batcher as batcher_module
from tasks.batching.batcher import Batcher
from tasks.job import Lane
from tasks.transport.scripts import MOST_AT_ONCE
from tests.batchers import Call, Clock, add_all, bulk, entry, make_ready, names
from tests.system import eventually


def test_an_idle_worker_wants_two_batches_at_once(batcher: Batcher, pauses: list[float]) -> None:
    assert batcher.wanted() == batcher.wanted() == (8, (Lane.INTERACTIVE, Lane.BULK))
    assert pauses == []


def test_what_is_held_counts_wherever_it_is_but_in_the_model(batcher: Batcher, clock: Clock) -> None:
    make_ready(batcher, entry("ready"), entry("ready too"))
    add_all(batcher, entry("loading"))
    batcher.next_waiting(Lane.INTERACTIVE, 1)
    add_all(batcher, entry("waiting"))
    assert batcher.wanted().number == 4
    assert names(batcher.next_batch()) == ["ready", "ready too"]
    clock.now_s += 1
    assert batcher.wanted().number == 6


def test_while_jobs_are_run_claims_are_a_pause_apart(batcher: Batcher, clock: Clock, pauses: list[float]) -> None:
    # Given a worker that has just claimed and runs a batch
    assert batcher.wanted().number == 8
    make_ready(batcher, entry("a"))
    batcher.next_batch()
    # Then it wants nothing for a moment, and asks to be asked then
    assert batcher.wanted().number == 0
    assert pauses == [pytest.approx(batcher_module.CLAIM_PAUSE_S)]
    clock.now_s += batcher_module.CLAIM_PAUSE_S
    assert batcher.wanted().number == 8


def test_a_runner_that_has_run_dry_asks_for_a_claim_at_once(batcher: Batcher, pauses: list[float]) -> None:
    make_ready(batcher, entry("a"))
    runner = Call(lambda: batcher.next_batch() and batcher.next_batch())
    eventually(lambda: pauses == [0.0], 10)
    batcher.close()
    assert runner.answer() == []


def test_one_claim_is_never_larger_than_a_script_takes() -> None:
    batcher = Batcher(lambda: 100_000, lambda: 0.0, 30.0, lambda pause_s: None, lambda request: None)
    assert batcher.wanted().number == MOST_AT_ONCE


def test_fewer_messages_are_wanted_once_jobs_turned_out_to_have_many_rows(batcher: Batcher, clock: Clock) -> None:
    for number in range(40):
        make_ready(batcher, entry(f"a{number}", rows=4))
        batcher.next_batch()
    clock.now_s += 1
    assert batcher.wanted().number <= 3


def test_held_bulk_jobs_do_not_keep_interactive_ones_from_being_claimed(batcher: Batcher, clock: Clock) -> None:
    make_ready(batcher, *(bulk(f"b{number}") for number in range(8)))
    assert batcher.wanted() == (8, (Lane.INTERACTIVE,))
    make_ready(batcher, *(entry(f"a{number}") for number in range(8)))
    clock.now_s += 1
    assert batcher.wanted().number == 0


def test_bulk_jobs_that_are_due_are_claimed_first(batcher: Batcher, clock: Clock) -> None:
    clock.now_s += 30
    assert batcher.wanted().lanes == (Lane.BULK, Lane.INTERACTIVE)


def test_bulk_jobs_wait_until_it_is_known_that_no_interactive_job_waits(batcher: Batcher, pauses: list[float]) -> None:
    # Given bulk jobs, and a claim that has found as many interactive ones as it might
    make_ready(batcher, bulk("b"), entry("a"))
    batcher.emptied(())
    runner = Call(lambda: batcher.next_batch() and batcher.next_batch())
    # When those run out, the runner asks for a claim
    eventually(lambda: pauses == [0.0], 10)
    assert runner.answers == []
    # Then the bulk jobs run once that has found no more
    batcher.emptied({Lane.INTERACTIVE})
    assert names(runner.answer()) == ["b"]


@pytest.mark.parametrize("is_looked_at", [True, False])
def test_bulk_jobs_wait_for_interactive_ones_that_are_not_ready(batcher: Batcher, is_looked_at: bool) -> None:
    make_ready(batcher, bulk("b"))
    batcher.add(entry("a"))
    looked_at = batcher.next_waiting(Lane.INTERACTIVE, 1) if is_looked_at else []
    runner = Call(batcher.next_batch)
    batcher.put_ready(Lane.INTERACTIVE, looked_at or batcher.next_waiting(Lane.INTERACTIVE, 1))
    assert names(runner.answer()) == ["a"]


def test_bulk_jobs_no_longer_wait_for_an_interactive_one_that_was_lost(batcher: Batcher) -> None:
    make_ready(batcher, bulk("b"))
    batcher.add(entry("a"))
    runner = Call(batcher.next_batch)
    batcher.lost(frozenset({"tag of a"}))
    assert names(runner.answer()) == ["b"]


def test_bulk_jobs_run_when_their_patience_is_over_and_not_before(batcher: Batcher, clock: Clock) -> None:
    # Given bulk jobs, and interactive ones that keep coming, a batch of them each second
    make_ready(batcher, *(bulk(f"b{number}") for number in range(8)))
    lanes = []
    for second in range(62):
        make_ready(batcher, *(entry(f"a{second}.{index}") for index in range(4)))
        lanes.append(batcher.next_batch()[0].lane)
        clock.now_s += 1
    # Then one batch of bulk jobs runs when 30 s have passed since the end of the last
    assert [second for second, lane in enumerate(lanes) if lane is Lane.BULK] == [30, 61]


def test_interactive_jobs_run_between_bulk_batches_that_take_longer_than_the_patience(
    batcher: Batcher, clock: Clock
) -> None:
    make_ready(batcher, *(bulk(f"b{number}") for number in range(40)))
    lanes = []
    for number in range(6):
        make_ready(batcher, entry(f"a{number}"))
        lanes.append(batcher.next_batch()[0].lane)
        clock.now_s += 40
    assert Lane.INTERACTIVE in lanes[:2]
    assert lanes.count(Lane.INTERACTIVE) >= 3


def test_an_empty_queue_holds_no_bulk_job_up(batcher: Batcher, clock: Clock) -> None:
    # Given a worker that has had no bulk job for long
    clock.now_s += 100
    # When nothing waits for it
    batcher.emptied(Lane)
    # Then a bulk job that comes now begins to wait now
    clock.now_s += 29
    assert not batcher.bulk_first()


def test_time_without_any_job_is_no_time_that_bulk_jobs_were_held_up(batcher: Batcher, clock: Clock) -> None:
    # Given a worker that has had nothing to do since its last bulk job
    make_ready(batcher, bulk("b"))
    batcher.emptied(Lane)
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
    batcher.emptied(Lane)
    clock.now_s += 1
    assert batcher.bulk_first()


def test_bulk_jobs_being_looked_at_are_held_up_too(batcher: Batcher, clock: Clock) -> None:
    batcher.add(bulk("b"))
    batcher.next_waiting(Lane.BULK, 1)
    clock.now_s += 29
    batcher.emptied(Lane)
    clock.now_s += 1
    assert batcher.bulk_first()
