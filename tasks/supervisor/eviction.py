"""Has the workers share the machine's memory: measures them, stops one for another, starts those that jobs wait for.

A worker that gives way gets SIGTERM and nothing after it: it finishes its batch, however long that takes, and gives
back what has not begun. What is to be done is decided in `memory_budget` and `memory_plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_store.version_labels import LATEST
from tasks.model_memory import Demand
from tasks.model_registry import ModelRecord
from tasks.settings import Settings
from tasks.supervisor.broker import Broker
from tasks.supervisor.life import Life, Phase
from tasks.supervisor.memory_budget import Known, MemoryBudget, limit_bytes
from tasks.supervisor.memory_news import MemoryNews
from tasks.supervisor.memory_plan import Plan
from tasks.supervisor.process_memory import TreeMemory, measure
from tasks.supervisor.service import Service
from tasks.supervisor.supervisord import ProcessState, Supervisord
from tasks.supervisor.unopened_model import guess_bytes, newest_version

#: How often it looks: while a model is out or on its way, and while all are in memory.
LOOK_EVERY_S = 1.0
LOOK_AT_REST_EVERY_S = 2.0


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
        self._models = {name: model for model, name in self._names.items()}
        self._settings = settings
        self._lives = lives
        self._supervisord = supervisord
        self._broker = broker
        self._say = say
        self._news = MemoryNews(broker, say)
        self._budget = MemoryBudget(limit_bytes(settings), {}, settings.idle_evict_s)
        self._due_s = float("-inf")

    def step(self, states: Mapping[str, ProcessState], now_s: float) -> None:
        """Look at all workers, if it is time, and act.

        Raises:
            BrokerUnavailable: it could not be asked, and nothing was done; or it could not be told what was done.
            Unreachable: supervisord did not answer; the next step may succeed.
        """
        if now_s < self._due_s or not self._names:
            return
        # Before anybody is asked: a broker that hangs must not hold up each look at the services.
        self._due_s = now_s + LOOK_EVERY_S
        if not self._budget.known:
            self._budget.known |= self._remembered()
        demand = self._broker.demand(list(self._names))
        memory = self._measure(states)
        plan = self._budget.look(self._model_lives(), memory, demand, now_s)
        self._carry_out(plan, now_s)
        self._end_idle_leavers(demand, now_s)
        lives = self._model_lives()
        self._news.tell(self._budget, plan, lives, memory)
        if all(life.phase in (Phase.READY, Phase.GIVEN_UP) for life in lives.values()):
            self._due_s = now_s + LOOK_AT_REST_EVERY_S

    def take_end(self, service: str, now_s: float) -> None:
        """A worker that was told to stop has ended."""
        life = self._lives[service]
        self._lives[service] = self._budget.life_after_leaving(self._models[service], life, now_s)
        self._due_s = now_s

    def _remembered(self) -> dict[str, Known]:
        """What earlier systems left in Redis of each model, or a guess."""
        records = self._broker.models()
        return {model: _known(self._settings, model, records.get(model)) for model in self._names}

    def _model_lives(self) -> dict[str, Life]:
        return {model: self._lives[name] for model, name in self._names.items()}

    def _measure(self, states: Mapping[str, ProcessState]) -> dict[str, TreeMemory]:
        pids = {model: states[name].pid for model, name in self._names.items() if states[name].pid}
        measured = measure(pids.values())
        return {model: measured[pid] for model, pid in pids.items() if pid in measured}

    def _carry_out(self, plan: Plan, now_s: float) -> None:
        after = self._budget.lives_after(plan, self._model_lives(), now_s)
        for model, reason in plan.stop.items():
            # Before it is told: to be told twice would end it amid its batch.
            self._lives[self._names[model]] = after[model]
            self._supervisord.ask_to_end(self._names[model])
            self._say(f"{self._names[model]} is stopped {reason}; its next job starts it again.")
        for model in plan.start:
            if self._lives[self._names[model]].phase is Phase.OUT:
                self._say(f"{self._names[model]} is started, as jobs wait for it.")
            self._supervisord.start_service(self._names[model])
        self._lives |= {self._names[model]: life for model, life in after.items()}

    def _end_idle_leavers(self, demand: Mapping[str, Demand], now_s: float) -> None:
        # One that computes has all the time that it needs; its watchdog sees to a call that never ends.
        for model, life in self._model_lives().items():
            is_late = life.phase is Phase.LEAVING and now_s - life.since_s > self._settings.stop_grace_s
            if is_late and not demand[model].running:
                self._supervisord.stop_service(self._names[model])


def _known(settings: Settings, model: str, record: ModelRecord | None) -> Known:
    last_bytes = (record.memory_bytes if record else None) or guess_bytes(settings.model_store, model)
    card = record.card if record else None
    is_tried = card is not None and _latest(card) == newest_version(settings.model_store, model)
    return Known(last_bytes, is_tried)


def _latest(card: Mapping[str, Any]) -> Any:
    """The newest version of a card: its own is the one that jobs get, which a label may have chosen."""
    return card.get("labels_of_versions", {}).get(LATEST, card.get("version"))
