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
from tasks.queues import queue_of


@dataclass(frozen=True)
class Demand:
    """The load on one model: its jobs that have not ended, those of them that a worker has, and all that ever ended.

    Of a model that is paused those that wait are left out.
    """

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
                pipeline.sismember(keys.PAUSED, queue_of(name))
            answers = pipeline.execute()
        parts = (answers[part::4] for part in range(4))
        return {
            # Jobs that may not begin need no worker.
            name: Demand(running if paused else unfinished, running, sum(map(int, ended)))
            for name, unfinished, running, ended, paused in zip(names, *parts, strict=True)
        }

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
