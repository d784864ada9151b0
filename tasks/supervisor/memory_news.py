"""What is told of the workers' memory: to Redis, for `/v1/models`, and to whoever reads the supervisor's lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tasks.supervisor.broker import Broker
from tasks.supervisor.life import Life, Phase
from tasks.supervisor.memory_budget import MemoryBudget
from tasks.supervisor.memory_plan import Plan
from tasks.supervisor.process_memory import TreeMemory

#: A model's memory is told anew when it has changed by this part.
_WORTH_TELLING = 0.02


class MemoryNews:
    """Tells what has changed since it was told last.

    Args:
        broker: of the system.
        say: gets what the operator should know, as a line.
    """

    def __init__(self, broker: Broker, say: Callable[[str], None]) -> None:
        self._broker = broker
        self._say = say
        self._words: dict[str, str | None] = {}
        self._bytes: dict[str, int] = {}
        self._large: set[str] = set()

    def tell(
        self, budget: MemoryBudget, plan: Plan, lives: Mapping[str, Life], memory: Mapping[str, TreeMemory]
    ) -> None:
        """Tell what keeps models out of memory, and how much they take.

        Args:
            budget: after its look.
            plan: what it decided.
            lives: of the models' workers, once the plan was carried out.
            memory: of those that had a process.

        Raises:
            BrokerUnavailable: it was not told; the next time it is.
        """
        words = {name: _waits_for(life, plan.waits_for.get(name, ())) for name, life in lives.items()}
        # A model whose signature is not known takes no jobs yet: it counts as being loaded.
        words |= {name: None for name, known in budget.known.items() if not known.is_tried}
        new_words = {name: text for name, text in words.items() if text != self._words.get(name)}
        most_bytes = {name: budget.known[name].most_bytes for name in memory}
        new_bytes = {name: size for name, size in most_bytes.items() if _has_changed(size, self._bytes.get(name, 0))}
        if new_words or new_bytes:
            self._broker.publish_memory(new_words, new_bytes)
        self._words |= new_words
        self._bytes |= new_bytes
        ready = {name: tree for name, tree in memory.items() if lives[name].phase is Phase.READY}
        self._say_large(max(budget.room_bytes, 0), ready)

    def _say_large(self, room_bytes: int, ready: Mapping[str, TreeMemory]) -> None:
        for name, tree in ready.items():
            if tree.own_bytes > room_bytes and name not in self._large:
                self._large.add(name)
                self._say(
                    f"{name} alone takes {_mb(tree.own_bytes)} MB; the memory limit leaves {_mb(room_bytes)} MB to all "
                    "models together, so it is served with no other beside it."
                )


def _waits_for(life: Life, in_the_way: Sequence[str]) -> str | None:
    """What keeps a model out of memory, in words; None: nothing does."""
    if life.phase is Phase.STARTING and life.recalled:
        return "its worker, which is starting"
    if life.phase not in (Phase.OUT, Phase.LEAVING):
        return None
    if in_the_way:
        return f"memory, until {' and '.join(in_the_way)} can make room"
    return "a job, which starts its worker"


def _has_changed(now_bytes: int, told_bytes: int) -> bool:
    return abs(now_bytes - told_bytes) > _WORTH_TELLING * told_bytes


def _mb(size_bytes: int) -> int:
    return size_bytes // 1_000_000
