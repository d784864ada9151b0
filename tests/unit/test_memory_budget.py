"""Hours of models that take turns in memory, in a moment: made-up workers under the real decisions."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.model_memory import Demand
from tasks.settings import Settings
from tasks.supervisor.life import Life, Phase
from tasks.supervisor.memory_budget import Known, MemoryBudget, limit_bytes
from tasks.supervisor.memory_plan import SERVICE_S
from tasks.supervisor.process_memory import TreeMemory

SHARED = 100
#: From one look to the next.
LOOK_S = 1.0


@dataclass
class Worker:
    """A made-up model: how large, how long it takes to load, how many seconds a batch of one job takes."""

    size: int
    load_s: int
    batch_s: int
    #: When jobs come, in seconds from the start.
    arrivals: list[int]
    grown: int = 0
    life: Life = field(default_factory=Life)
    queued: int = 0
    ended: int = 0
    batch_left_s: int = 0
    waits_since_s: float | None = None

    @property
    def lives(self) -> bool:
        return self.life.phase in (Phase.STARTING, Phase.READY, Phase.LEAVING)

    def memory(self) -> TreeMemory | None:
        own_bytes = self.size // 2 if self.life.phase is Phase.STARTING else self.size + self.grown
        return TreeMemory(own_bytes, SHARED) if self.lives else None

    def pass_second(self, now_s: float) -> None:
        """Jobs come, the worker becomes ready, computes, or ends."""
        self.queued += self.arrivals.count(int(now_s))
        if self.life.phase is Phase.STARTING and now_s - self.life.since_s >= self.load_s:
            self.life = self.life.ready(now_s)
        if self.batch_left_s:
            self.batch_left_s -= 1
            self.ended += not self.batch_left_s
            self.queued -= not self.batch_left_s
        elif self.life.phase is Phase.READY and self.queued:
            self.batch_left_s = self.batch_s
        is_served = self.life.phase in (Phase.READY, Phase.LEAVING) or not self.queued
        self.waits_since_s = None if is_served else now_s if self.waits_since_s is None else self.waits_since_s


class Machine:
    """Made-up workers in so much room."""

    def __init__(self, workers: list[Worker], room: int, is_tried: bool, guess: int | None = None) -> None:
        self.workers = {f"m{number}": worker for number, worker in enumerate(workers)}
        self.room = room
        known = {name: Known(guess or worker.size, is_tried) for name, worker in self.workers.items()}
        self.budget = MemoryBudget(room + SHARED, known, idle_stop_s=None)
        # As if a worker had been measured before.
        self.budget.take_shared([TreeMemory(0, SHARED)])
        self.now_s = 0.0

    def look(self) -> None:
        """One second of all."""
        self.now_s += LOOK_S
        for name, worker in self.workers.items():
            worker.pass_second(self.now_s)
            if worker.life.phase is Phase.LEAVING and not worker.batch_left_s:
                worker.life = self.budget.life_after_leaving(name, worker.life, self.now_s)
        lives = {name: worker.life for name, worker in self.workers.items()}
        memory = {name: tree for name, worker in self.workers.items() if (tree := worker.memory())}
        demand = {
            name: Demand(worker.queued, worker.batch_left_s > 0, worker.ended) for name, worker in self.workers.items()
        }
        plan = self.budget.look(lives, memory, demand, self.now_s)
        for name, life in self.budget.lives_after(plan, lives, self.now_s).items():
            self.workers[name].life = life

    def used(self) -> int:
        return sum(tree.own_bytes for worker in self.workers.values() if (tree := worker.memory()))

    def living(self) -> list[str]:
        return [name for name, worker in self.workers.items() if worker.lives]

    def unfinished(self) -> int:
        return sum(worker.queued for worker in self.workers.values())

    def longest_turn_s(self) -> float:
        """No model can keep the others waiting for longer."""
        turns_s = (w.load_s + max(w.load_s, SERVICE_S) + w.batch_s + 5 * LOOK_S for w in self.workers.values())
        return len(self.workers) * max(turns_s)


WORKERS = st.builds(
    Worker,
    size=st.integers(10, 100),
    load_s=st.integers(1, 30),
    batch_s=st.integers(1, 10),
    arrivals=st.lists(st.integers(1, 100), max_size=20),
)


@settings(max_examples=60)
@given(st.lists(WORKERS, min_size=1, max_size=7), st.integers(60, 250), st.booleans())
def test_nobody_waits_for_ever_and_the_limit_is_kept(workers: list[Worker], room: int, is_tried: bool) -> None:
    machine = Machine(workers, room, is_tried)
    end_s = 100 + sum(len(worker.arrivals) * (worker.batch_s + 2 * worker.load_s + SERVICE_S) for worker in workers)
    while machine.now_s <= 100 or (machine.unfinished() and machine.now_s < end_s):
        machine.look()
        assert machine.used() <= room or len(machine.living()) == 1
        for worker in workers:
            waited_s = machine.now_s - worker.waits_since_s if worker.waits_since_s is not None else 0
            assert waited_s <= machine.longest_turn_s()
    assert not machine.unfinished()
    assert not is_tried or all(known.is_tried for known in machine.budget.known.values())


@settings(max_examples=40)
@given(
    st.lists(WORKERS, min_size=2, max_size=6),
    st.integers(60, 250),
    st.lists(st.tuples(st.integers(1, 150), st.integers(0, 5), st.integers(-50, 50)), max_size=20),
)
def test_when_workers_grow_the_limit_is_kept_again_after_a_batch(
    workers: list[Worker], room: int, growth: list[tuple[int, int, int]]
) -> None:
    machine = Machine(workers, room, is_tried=True)
    over_s = 0.0
    while machine.now_s < 200:
        for at_s, number, grown in growth:
            if at_s == machine.now_s:
                workers[number % len(workers)].grown = max(grown, 0)
        machine.look()
        is_over = machine.used() > room and len(machine.living()) > 1
        over_s = over_s + LOOK_S if is_over else 0
        assert over_s <= 10 + 3 * LOOK_S


def test_two_busy_models_that_do_not_fit_together_take_turns_and_serve_most_of_the_time() -> None:
    first, second = (Worker(80, 5, 1, list(range(1000))) for _ in range(2))
    machine = Machine([first, second], 100, is_tried=True)
    starts, served_s = 0, 0
    for _ in range(1000):
        before = machine.living()
        machine.look()
        starts += len(set(machine.living()) - set(before))
        served_s += any(worker.life.phase is Phase.READY for worker in (first, second))
    assert 20 <= starts <= 45
    assert served_s > 700
    assert first.ended == pytest.approx(second.ended, rel=0.1)


def test_every_model_that_was_never_opened_is_tried_once_though_the_memory_is_full() -> None:
    workers = [Worker(80, 5, 1, []) for _ in range(5)]
    machine = Machine(workers, 100, is_tried=False)
    for _ in range(120):
        machine.look()
    assert all(known.is_tried for known in machine.budget.known.values())
    assert len(machine.living()) == 1


def test_jobs_do_not_wait_until_all_models_were_tried() -> None:
    workers = [Worker(80, 5, 1, []) for _ in range(10)]
    machine = Machine(workers, 100, is_tried=False)
    machine.budget.known["m9"].is_tried = True
    workers[9].arrivals = [3]
    while workers[9].ended == 0:
        machine.look()
    assert machine.now_s < 3 * (SERVICE_S + 5)


def test_a_guess_that_was_too_low_ends_in_turns_and_not_in_a_loop() -> None:
    workers = [Worker(80, 5, 1, [1] * 30) for _ in range(3)]
    machine = Machine(workers, 100, is_tried=False, guess=10)
    while machine.unfinished() or machine.now_s < 10:
        machine.look()
        assert machine.now_s < 300
    assert [machine.budget.known[name].most_bytes for name in machine.workers] == [80] * 3


def test_with_room_for_all_every_model_is_started_at_the_first_look_and_stays() -> None:
    machine = Machine([Worker(30, 5, 1, [4, 50, 90]) for _ in range(3)], 100, is_tried=True)
    for _ in range(200):
        machine.look()
        assert len(machine.living()) == 3
    assert {worker.life.since_s for worker in machine.workers.values()} == {6.0}


def test_the_limit_is_what_the_settings_say_or_a_part_of_the_machines_memory() -> None:
    assert limit_bytes(Settings(memory_limit_mb=2000)) == 2_000_000_000
    assert 0 < limit_bytes(Settings()) < limit_bytes(Settings(redis_url="redis://elsewhere"))
