"""Which models have a worker when there is not memory for all: who gives way, who comes back; pure.

A model that jobs wait for comes back in its turn, the one that has waited longest first. Idle models give way to it,
the least recently used first; then busy ones, once they have served for a while. So two models that do not fit together
and both have jobs take turns, and none waits for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

#: While its model has jobs, a worker is not stopped for another's before it has served for so long, and for as long as
#: its start took: workers that take turns serve at least half of the time.
SERVICE_S = 20.0

#: A worker that takes longer to be ready is in nobody's way any more.
LONGEST_START_S = 600.0

#: A model without jobs for this long is idle: a client that sends one job after the other leaves shorter gaps.
IDLE_S = 2.0


class Standing(Enum):
    """Where a model's worker is."""

    OUT = "out"  #: there is none
    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"  #: told to stop, it finishes its batch


@dataclass(frozen=True)
class MemoryUse:
    """One model and its worker's memory. Times are on the caller's clock.

    Attributes:
        name: The model's.
        standing: Where its worker is.
        now_bytes: What the worker takes now.
        most_bytes: The most that it took since its start; while it is out or starting no less than what the one
            before it took, or a guess.
        since_s: When the standing began.
        load_s: How long its start took; of one that is ready.
        used_s: When the model last had a job.
        is_busy: It has jobs that have not ended.
        wanted_s: Of one that is out: since when somebody waits for it, or will; None: nobody does.
        is_fresh: It is out only because the system has just been started: it may start if there is room.
    """

    name: str
    standing: Standing
    now_bytes: int = 0
    most_bytes: int = 0
    since_s: float = 0.0
    load_s: float = 0.0
    used_s: float = float("-inf")
    is_busy: bool = False
    wanted_s: float | None = None
    is_fresh: bool = False

    def may_give_way(self, now_s: float) -> bool:
        """Whether its worker may be stopped for another model's jobs."""
        if self.standing is not Standing.READY:
            return self.standing is Standing.STARTING and now_s - self.since_s >= LONGEST_START_S
        if self.is_busy:
            return now_s - self.since_s >= max(SERVICE_S, self.load_s)
        return now_s - self.used_s >= IDLE_S


@dataclass(frozen=True)
class Plan:
    """What is to be done now.

    Attributes:
        stop: Models whose workers are to stop, and what for, in words that follow "is stopped".
        start: Models whose workers are to start.
        waits_for: For each model that somebody waits for and that cannot start yet: the models that are in its way.
    """

    stop: Mapping[str, str] = field(default_factory=dict)
    start: Sequence[str] = field(default_factory=list)
    waits_for: Mapping[str, Sequence[str]] = field(default_factory=dict)


def plan(uses: Sequence[MemoryUse], room_bytes: int, now_s: float, idle_stop_s: float | None = None) -> Plan:
    """Decide who is to stop and who may start.

    A model that needs more than all of `room_bytes` is served alone.

    Args:
        uses: All models that are not given up.
        room_bytes: For all of them together.
        now_s: On the clock of their times.
        idle_stop_s: How long a model may have no jobs before its worker stops, needed or not; None: for ever.
    """
    room = _Room(uses, room_bytes, now_s)
    room.shrink()
    if idle_stop_s is not None:
        room.stop_idle(idle_stop_s)
    wanted = [use for use in uses if use.wanted_s is not None]
    # Nobody overtakes: what becomes free is for the one that has waited longest.
    if all(room.admit(use) for use in sorted(wanted, key=lambda use: use.wanted_s or 0.0)):
        room.fill([use for use in uses if use.is_fresh and use.wanted_s is None])
    return Plan(room.stop, room.start, room.waits_for)


class _Room:
    """The memory while it is being given away."""

    def __init__(self, uses: Sequence[MemoryUse], room_bytes: int, now_s: float) -> None:
        self._room_bytes = room_bytes
        self._now_s = now_s
        self._inside = [use for use in uses if use.standing is not Standing.OUT]
        #: For those that start now, and those that the memory is kept free for.
        self._promised_bytes = 0
        self.stop: dict[str, str] = {}
        self.start: list[str] = []
        self.waits_for: dict[str, list[str]] = {}

    def shrink(self) -> None:
        """Stop workers until the others fit, when some have grown; one always stays."""
        excess_bytes = sum(use.now_bytes for use in self._staying()) - self._room_bytes
        for use in sorted(self._staying(), key=_order_outgrown)[:-1]:
            if excess_bytes <= 0:
                return
            excess_bytes -= use.now_bytes
            self.stop[use.name] = "because the workers have outgrown the limit"

    def stop_idle(self, idle_stop_s: float) -> None:
        """Stop the workers of models that had no job for so long."""
        for use in self._staying():
            idle_s = self._now_s - max(use.used_s, use.since_s)
            if use.standing is Standing.READY and not use.is_busy and idle_s >= idle_stop_s:
                self.stop[use.name] = f"after {idle_stop_s:g} s without a job"

    def admit(self, use: MemoryUse) -> bool:
        """Start the worker of a model that somebody waits for, or have others make room for it.

        Returns:
            Whether the next one may be looked at: not while this one waits for workers that may not be stopped yet.
        """
        if self._fits(use):
            self._start(use)
            return True
        victims = self._victims(use)
        self.stop |= {victim.name: f"to make room for {use.name}" for victim in victims or ()}
        self.waits_for[use.name] = [other.name for other in self._inside if victims is None or self._leaves(other)]
        self._promised_bytes += use.most_bytes
        return victims is not None

    def fill(self, fresh: Sequence[MemoryUse]) -> None:
        """Start those for which there is room as it is."""
        for use in fresh:
            if self._fits(use):
                self._start(use)

    def _start(self, use: MemoryUse) -> None:
        self.start.append(use.name)
        self._promised_bytes += use.most_bytes

    def _fits(self, use: MemoryUse) -> bool:
        taken_bytes = sum(other.most_bytes for other in self._inside) + self._promised_bytes
        return taken_bytes + use.most_bytes <= self._room_bytes or not (self._inside or self._promised_bytes)

    def _victims(self, use: MemoryUse) -> list[MemoryUse] | None:
        """Those that are to stop for it beside those that leave already; None: it is too early for that."""
        willing = sorted((other for other in self._staying() if other.may_give_way(self._now_s)), key=_order_willing)
        if use.most_bytes > self._room_bytes:
            return willing if len(willing) == len(self._staying()) and not self._promised_bytes else None
        stays_bytes = sum(other.most_bytes for other in self._staying())
        short_bytes = stays_bytes + self._promised_bytes + use.most_bytes - self._room_bytes
        return _fewest(willing, short_bytes)

    def _staying(self) -> list[MemoryUse]:
        return [use for use in self._inside if not self._leaves(use)]

    def _leaves(self, use: MemoryUse) -> bool:
        return use.standing is Standing.LEAVING or use.name in self.stop


def _fewest(willing: Sequence[MemoryUse], short_bytes: int) -> list[MemoryUse] | None:
    """The first ones that free so many bytes, without those that the others make up for; None: all are too few."""
    chosen: list[MemoryUse] = []
    for use in willing:
        if short_bytes <= 0:
            break
        chosen.append(use)
        short_bytes -= use.most_bytes
    if short_bytes > 0:
        return None
    for use in list(chosen):
        if short_bytes + use.most_bytes <= 0:
            chosen.remove(use)
            short_bytes += use.most_bytes
    return chosen


def _order_willing(use: MemoryUse) -> tuple[bool, float]:
    """Idle ones first, the least recently used of them first; then the busy one that has served longest."""
    return use.is_busy, use.since_s if use.is_busy else use.used_s


def _order_outgrown(use: MemoryUse) -> tuple[bool, float]:
    """Idle ones as ever; then the smallest, since the others give way to the one that grew."""
    is_needed = use.is_busy or use.standing is Standing.STARTING
    return is_needed, use.now_bytes if is_needed else use.used_s
