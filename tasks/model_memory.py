"""What the supervisor says in Redis of the models' memory, and what it reads there to share it out.

`memory_bytes` is the most that a model's worker took in its latest life; it stays when the worker is gone. `waits_for`
says, in words, what keeps a model out of memory that could be served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import redis

from tasks import keys
from tasks.broker import broker_errors


@dataclass(frozen=True)
class Demand:
    """The load on one model: its jobs that have not ended, those of them that a worker has, and all that ever ended."""

    unfinished: int
    running: int
    ended: int


class ModelMemory:
    """The models' memory in Redis. Every method raises BrokerUnavailable when Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def demand(self, names: Sequence[str]) -> dict[str, Demand]:
        """The load on each model, in one round trip."""
        with broker_errors():
            pipeline = self._redis.pipeline(transaction=False)
            for name in names:
                pipeline.zcard(keys.unfinished(name))
                pipeline.zcard(keys.running(name))
                pipeline.hvals(keys.finished(name))
            answers = pipeline.execute()
        triples = zip(names, answers[::3], answers[1::3], answers[2::3], strict=True)
        return {name: Demand(unfinished, running, sum(map(int, ended))) for name, unfinished, running, ended in triples}

    def publish(self, waits_for: Mapping[str, str | None], memory_bytes: Mapping[str, int]) -> None:
        """Say what has changed: what models wait for, None for those that are in memory again, and what they take."""
        with broker_errors():
            pipeline = self._redis.pipeline(transaction=False)
            for name, words in waits_for.items():
                if words is None:
                    pipeline.hdel(keys.model(name), "waits_for")
                else:
                    pipeline.hset(keys.model(name), "waits_for", words)
            for name, size in memory_bytes.items():
                pipeline.hset(keys.model(name), "memory_bytes", size)
            pipeline.execute()
