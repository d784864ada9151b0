"""What goes wrong, when, and to whom: a pure function of a seed and a duration."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

#: The models, and how many workers each has.
MODELS = ("double", "triple")
WORKERS_PER_MODEL = 2

API = "api"
#: One of the processes that the API serves with.
API_CHILD = "api-child"
KEEPER = "keeper"
BROKER = "broker"


class Deed(StrEnum):
    """What is done to a process, or slipped in among a model's jobs."""

    KILL = "kill"  #: SIGKILL
    STOP = "stop"  #: SIGSTOP
    GO_ON = "go on"  #: SIGCONT
    RESTART = "restart"  #: SIGTERM, and the process is started again when it has ended
    CUT = "cut"  #: the broker closes the process's connections to it
    POISON = "poison"  #: a job that kills whoever runs it
    UNDECODABLE = "undecodable"  #: a job whose input is cut off
    DUPLICATE = "duplicate"  #: a second message for a job


#: Those that a model's queue suffers, not a process.
OF_A_QUEUE = frozenset({Deed.POISON, Deed.UNDECODABLE, Deed.DUPLICATE})


@dataclass(frozen=True, order=True)
class Action:
    """One deed. `target` is a process's name, see `targets`, or a model's."""

    time_s: float
    deed: Deed
    target: str


def worker(model: str, number: int) -> str:
    """The name of one of a model's workers."""
    return f"worker-{model}-{number}"


WORKERS = tuple(worker(model, number) for model in MODELS for number in range(WORKERS_PER_MODEL))

#: Who suffers a deed, each as often as it stands here. The broker cuts everybody's connections when its own are meant.
_TARGETS = {
    Deed.KILL: (*WORKERS, API, API, API_CHILD, API_CHILD, BROKER, BROKER, BROKER, KEEPER),
    Deed.STOP: (*WORKERS, *WORKERS, API, API_CHILD, API_CHILD, BROKER, BROKER, KEEPER),
    Deed.RESTART: (*WORKERS, API, KEEPER, BROKER),
    Deed.CUT: (*WORKERS, API_CHILD, API_CHILD, BROKER, BROKER),
    Deed.POISON: MODELS,
    Deed.UNDECODABLE: MODELS,
    Deed.DUPLICATE: MODELS,
}

#: One such deed in so many seconds. TensorFlow takes some 7 s of a core to start: with these, workers of two cores have
#: half of the time to work.
_EVERY_S = {
    Deed.KILL: 4.8,
    Deed.STOP: 20.0,
    Deed.RESTART: 60.0,
    Deed.CUT: 7.0,
    Deed.POISON: 120.0,
    Deed.UNDECODABLE: 6.0,
    Deed.DUPLICATE: 1.0,
}

#: The share of the time over which a deed is spread, where that is not all of it: poison ends after three starts of a
#: worker, and the storm is to see its end.
_SPREAD = {Deed.POISON: 0.6}

#: How long a stopped process stays stopped: to less and to more than a lease, and than the broker's time limit.
_STOPPED_S = (0.5, 8.0)


def schedule(seed: int, duration_s: float) -> list[Action]:
    """All actions in order. Each deed is spread over the whole time, at least once, and hits by chance."""
    chance = random.Random(seed)
    actions: list[Action] = []
    for deed, every_s in _EVERY_S.items():
        count = max(1, round(duration_s / every_s))
        hits = _hits(chance, _TARGETS[deed], count)
        for number, target in enumerate(hits):
            time_s = (number + chance.random()) * duration_s * _SPREAD.get(deed, 1.0) / count
            actions.append(Action(time_s, deed, target))
            if deed is Deed.STOP:
                actions.append(Action(time_s + chance.uniform(*_STOPPED_S), Deed.GO_ON, target))
    return sorted(actions)


def _hits(chance: random.Random, targets: tuple[str, ...], count: int) -> Iterator[str]:
    """So many targets, each in its share: a full round of all of them in a new order, over and over."""
    left: list[str] = []
    for _ in range(count):
        left = left or chance.sample(targets, len(targets))
        yield left.pop()
