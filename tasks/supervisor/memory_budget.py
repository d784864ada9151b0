"""The workers' memory under the limit: what is known of each model from look to look, for `memory_plan` to decide on.

It talks to nobody: who calls it measures, asks the broker, and does what the plan says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.machine_memory import memory_bytes
from tasks.model_memory import Demand
from tasks.settings import Settings
from tasks.supervisor.life import Life, Phase
from tasks.supervisor.memory_plan import SERVICE_S, MemoryUse, Plan, Standing, plan
from tasks.supervisor.process_memory import TreeMemory

#: The workers' part of the machine's or container's memory. The embedded server takes no more jobs when it has used
#: four fifths of its half; without it the workers get more.
PERCENT_BESIDE_BROKER = 60
PERCENT_WITHOUT_BROKER = 80

#: What workers share, mostly TensorFlow's libraries, until the first of them was measured (tensorflow-cpu 2.21).
SHARED_BYTES = 400_000_000

_STANDINGS = {
    Phase.WAITING: Standing.OUT,
    Phase.OUT: Standing.OUT,
    Phase.STARTING: Standing.STARTING,
    Phase.READY: Standing.READY,
    Phase.LEAVING: Standing.LEAVING,
}


def limit_bytes(settings: Settings) -> int:
    """How much memory all workers together may take."""
    if settings.memory_limit_mb is not None:
        return settings.memory_limit_mb * 1_000_000
    percent = PERCENT_WITHOUT_BROKER if settings.redis_url else PERCENT_BESIDE_BROKER
    return memory_bytes() * percent // 100


@dataclass
class Known:
    """What is known of a model.

    Attributes:
        last_bytes: The most that its worker took in its latest life that came to be ready, or a guess.
        is_tried: It was ready once, in its present version, so the API can check its jobs.
        life_bytes: The most that its worker has taken since it was started.
        started_s: When its worker was started.
        used_s: When it last had a job.
        wanted_s: Since when its jobs wait for its worker to come back.
        ended: How many of its jobs had ended at the last look.
    """

    last_bytes: int
    is_tried: bool
    life_bytes: int = 0
    started_s: float = 0.0
    used_s: float = float("-inf")
    wanted_s: float | None = None
    ended: int | None = None

    @property
    def most_bytes(self) -> int:
        """What is to be kept free for it."""
        return max(self.last_bytes, self.life_bytes)

    def take_memory(self, standing: Standing, now_bytes: int) -> None:
        """Note what its worker takes now."""
        if standing is Standing.OUT:
            # What a start took that failed: the next needs no less.
            self.last_bytes, self.life_bytes = self.most_bytes, 0
            return
        self.life_bytes = max(self.life_bytes, now_bytes)
        if standing is Standing.READY:
            self.last_bytes, self.is_tried = self.life_bytes, True

    def take_demand(self, standing: Standing, demand: Demand, now_s: float) -> None:
        """Note whether it has jobs, or had some since the last look."""
        if demand.unfinished or demand.ended != (demand.ended if self.ended is None else self.ended):
            self.used_s = now_s
        self.ended = demand.ended
        # Whoever has its turn waits anew after it.
        if not demand.unfinished or standing is not Standing.OUT:
            self.wanted_s = None
        elif self.wanted_s is None:
            self.wanted_s = now_s


class MemoryBudget:
    """Decides by what was measured whose worker stops and whose starts.

    Args:
        limit: of all workers together, in bytes.
        known: of each model, in the order in which they start; changed with each look.
        idle_stop_s: see `memory_plan.plan`.
    """

    def __init__(self, limit: int, known: dict[str, Known], idle_stop_s: float | None) -> None:
        self._limit_bytes = limit
        self._idle_stop_s = idle_stop_s
        self._shared_bytes = SHARED_BYTES
        self._first_look_s: float | None = None
        self.known = known

    @property
    def room_bytes(self) -> int:
        """For what workers do not share."""
        return self._limit_bytes - self._shared_bytes

    def look(
        self,
        lives: Mapping[str, Life],
        memory: Mapping[str, TreeMemory],
        demand: Mapping[str, Demand],
        now_s: float,
    ) -> Plan:
        """Take note of the present, and decide.

        Args:
            lives: of each model's worker.
            memory: of those that have a process.
            demand: of each model.
            now_s: on the clock of the lives.
        """
        if self._first_look_s is None:
            self._first_look_s = now_s
        # One that is starting may not have loaded its libraries yet.
        self.take_shared([tree for name, tree in memory.items() if lives[name].phase is Phase.READY])
        uses = [
            self._use(name, lives[name], memory.get(name), demand[name], now_s)
            for name in self.known
            if lives[name].phase in _STANDINGS
        ]
        due = [use for use in uses if lives[use.name].is_due(now_s)]
        return plan(due, self.room_bytes, now_s, self._idle_stop_s)

    def lives_after(self, plan: Plan, lives: Mapping[str, Life], now_s: float) -> dict[str, Life]:
        """The lives of all models' workers once the plan is carried out."""
        return {name: self._life_after(plan, name, lives[name], now_s) for name in self.known}

    def life_after_leaving(self, name: str, life: Life, now_s: float) -> Life:
        """The life of a worker that was told to stop, and has ended."""
        return life.out(now_s) if self.known[name].is_tried else life.excused(now_s)

    def take_shared(self, trees: Iterable[TreeMemory]) -> None:
        """Note what workers that are ready share."""
        self._shared_bytes = max((tree.shared_bytes for tree in trees), default=self._shared_bytes)

    def _life_after(self, plan: Plan, name: str, life: Life, now_s: float) -> Life:
        if name in plan.stop:
            return life.leaving(now_s)
        if name in plan.start:
            return life.started(now_s)
        if life.phase is Phase.WAITING and not life.troubled and self.known[name].is_tried:
            # There was no room for it when the system started.
            return life.out(now_s)
        return life

    def _use(self, name: str, life: Life, memory: TreeMemory | None, demand: Demand, now_s: float) -> MemoryUse:
        known, standing = self.known[name], _STANDINGS[life.phase]
        now_bytes = memory.own_bytes if memory else 0
        if standing is Standing.STARTING:
            known.started_s = life.since_s
        known.take_memory(standing, now_bytes)
        known.take_demand(standing, demand, now_s)
        return MemoryUse(
            name=name,
            standing=standing,
            now_bytes=now_bytes,
            most_bytes=known.most_bytes,
            since_s=life.since_s,
            load_s=life.since_s - known.started_s if standing is Standing.READY else 0.0,
            used_s=known.used_s,
            is_busy=demand.unfinished > 0,
            wanted_s=self._wanted_s(name, life) if standing is Standing.OUT else None,
            is_fresh=life.phase is Phase.WAITING,
        )

    def _wanted_s(self, name: str, life: Life) -> float | None:
        known = self.known[name]
        if life.troubled and life.phase is Phase.WAITING:
            return life.since_s
        if known.is_tried:
            return known.wanted_s
        # Trials do not go before all jobs that come meanwhile: each has its time, in the order of the models.
        trial_s = (self._first_look_s or 0.0) + list(self.known).index(name) * SERVICE_S
        return trial_s if known.wanted_s is None else min(trial_s, known.wanted_s)
