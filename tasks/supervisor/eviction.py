"""Has the workers share the machine's memory: measures them, stops one for another, starts those that jobs wait for.

A worker that gives way gets SIGTERM and nothing after it: it finishes its batch, however long that takes, and gives
back what has not begun. What is to be done is decided in `memory_budget` and `memory_plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tasks.model_memory import Demand
from tasks.model_registry import ModelRecord
from tasks.settings import Settings
from tasks.supervisor.broker import Broker
from tasks.supervisor.first_guess import guess_bytes, newest_version
from tasks.supervisor.life import Life, Phase
from tasks.supervisor.memory_budget import Known, MemoryBudget, limit_bytes
from tasks.supervisor.memory_plan import Plan
from tasks.supervisor.process_memory import TreeMemory, measure
from tasks.supervisor.service import Service
from tasks.supervisor.supervisord import ProcessState, Supervisord

#: How often it looks: while a model is out or on its way, and while all are in memory.
LOOK_EVERY_S = 1.0
LOOK_AT_REST_EVERY_S = 2.0

#: A model's memory is told anew when it has changed by this part.
_WORTH_TELLING = 0.02


class Eviction:
    """The workers' comings and goings. `step` is to be called as often as the services are looked at.

    Args:
        services: all of the system; it looks at those that serve a model.
        settings: of this process.
        lives: of all services, by name; it changes those of the workers.
        supervisord: running.
        broker: of the system.
        say: gets each event worth telling, as a line.
    """

    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        lives: dict[str, Life],
        supervisord: Supervisord,
        broker: Broker,
        say: Callable[[str], None],
    ) -> None:
        self._names = {service.model: service.name for service in services if service.model}
        self._settings = settings
        self._lives = lives
        self._supervisord = supervisord
        self._broker = broker
        self._say = say
        self._budget: MemoryBudget | None = None
        self._due_s = float("-inf")
        self._told_words: dict[str, str | None] = dict.fromkeys(self._names)
        self._told_bytes: dict[str, int] = {}
        self._told_large: set[str] = set()

    def step(self, states: Mapping[str, ProcessState], now_s: float) -> None:
        """Look at all workers, if it is time, and act.

        Raises:
            BrokerUnavailable: it was not asked; nothing was done.
        """
        if now_s < self._due_s or not self._names:
            return
        # Before anybody is asked: a broker that hangs must not hold up each look at the services.
        self._due_s = now_s + LOOK_EVERY_S
        self._budget = self._budget or self._begin()
        demand = self._broker.demand(list(self._names))
        memory = self._measure(states)
        lives = self._model_lives()
        plan = self._budget.look(lives, memory, demand, now_s)
        self._act(plan)
        for model, life in self._budget.lives_after(plan, lives, now_s).items():
            self._lives[self._names[model]] = life
        self._end_idle_leavers(demand, now_s)
        self._tell(plan, memory)
        if all(life.phase in (Phase.READY, Phase.GIVEN_UP) for life in self._model_lives().values()):
            self._due_s = now_s + LOOK_AT_REST_EVERY_S

    def take_end(self, service: Service, now_s: float) -> None:
        """A worker that was told to stop has ended."""
        assert service.model and self._budget
        life = self._lives[service.name]
        self._lives[service.name] = self._budget.life_after_leaving(service.model, life, now_s)
        self._due_s = now_s

    def _begin(self) -> MemoryBudget:
        """What earlier systems left in Redis of each model, or a guess."""
        records = self._broker.models()
        known = {model: _known(self._settings, model, records.get(model)) for model in self._names}
        return MemoryBudget(limit_bytes(self._settings), known, self._settings.idle_evict_s)

    def _model_lives(self) -> dict[str, Life]:
        return {model: self._lives[name] for model, name in self._names.items()}

    def _measure(self, states: Mapping[str, ProcessState]) -> dict[str, TreeMemory]:
        pids = {model: states[name].pid for model, name in self._names.items() if states[name].pid}
        measured = measure(pids.values())
        return {model: measured[pid] for model, pid in pids.items() if pid in measured}

    def _act(self, plan: Plan) -> None:
        for model, reason in plan.stop.items():
            self._supervisord.ask_to_end(self._names[model])
            self._say(f"{self._names[model]} is stopped {reason}; its next job starts it again.")
        for model in plan.start:
            if self._life(model).phase is Phase.OUT:
                self._say(f"{self._names[model]} is started, as jobs wait for it.")
            self._supervisord.start_service(self._names[model])

    def _end_idle_leavers(self, demand: Mapping[str, Demand], now_s: float) -> None:
        # One that computes has all the time it needs; its watchdog sees to a call that never ends.
        for model, life in self._model_lives().items():
            is_late = life.phase is Phase.LEAVING and now_s - life.since_s > self._settings.stop_grace_s
            if is_late and not demand[model].running:
                self._supervisord.stop_service(self._names[model])

    def _tell(self, plan: Plan, memory: Mapping[str, TreeMemory]) -> None:
        words = {model: self._words(model, plan) for model in self._names}
        new_words = {model: text for model, text in words.items() if text != self._told_words[model]}
        new_bytes = {
            model: known.most_bytes
            for model, known in self._known().items()
            if model in memory and _differ(known.most_bytes, self._told_bytes.get(model, 0))
        }
        if new_words or new_bytes:
            self._broker.publish_memory(new_words, new_bytes)
        self._told_words |= new_words
        self._told_bytes |= new_bytes
        self._tell_large(memory)

    def _words(self, model: str, plan: Plan) -> str | None:
        """What keeps a model out of memory; None: it is not out, or not known well enough for jobs to be taken."""
        life = self._life(model)
        if life.phase is Phase.STARTING and life.recalled:
            return "its worker, which is starting"
        if life.phase not in (Phase.OUT, Phase.LEAVING) or not self._known()[model].is_tried:
            return None
        if in_the_way := plan.waits_for.get(model):
            return f"memory, until {' and '.join(in_the_way)} can make room"
        return "a job, which starts its worker"

    def _tell_large(self, memory: Mapping[str, TreeMemory]) -> None:
        assert self._budget
        for model, tree in memory.items():
            if tree.own_bytes > self._budget.room_bytes and model not in self._told_large:
                self._told_large.add(model)
                self._say(
                    f"{self._names[model]} alone takes {_mb(tree.own_bytes)} MB, more than the "
                    f"{_mb(self._budget.room_bytes)} MB that the memory limit leaves to all models; it is served alone."
                )

    def _known(self) -> Mapping[str, Known]:
        assert self._budget
        return self._budget.known

    def _life(self, model: str) -> Life:
        return self._lives[self._names[model]]


def _known(settings: Settings, model: str, record: ModelRecord | None) -> Known:
    last_bytes = (record.memory_bytes if record else None) or guess_bytes(settings.model_store, model)
    card = record.card if record else None
    is_tried = card is not None and card.get("version") == newest_version(settings.model_store, model)
    return Known(last_bytes, is_tried)


def _differ(now_bytes: int, told_bytes: int) -> bool:
    return abs(now_bytes - told_bytes) > _WORTH_TELLING * told_bytes


def _mb(size_bytes: int) -> int:
    return size_bytes // 1_000_000
