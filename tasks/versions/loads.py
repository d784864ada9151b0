"""Loads that began and did not end, remembered in Redis: a file that ends its process must not do so for ever."""

from __future__ import annotations

from contextlib import suppress
from typing import cast

import redis

from tasks import keys
from tasks.broker import broker_errors, server_time_us
from tasks.errors import BrokerUnavailable

#: What a worker that never comes back has left is forgotten then.
_KEPT_S = 604_800


class Loads:
    """The loads of one worker. Every method but `begin` raises BrokerUnavailable when Redis does not answer.

    Args:
        client: of the broker, see `tasks.broker.connect`.
        model: the worker's.
        worker: its name, which it keeps when it is started again.
    """

    def __init__(self, client: redis.Redis, model: str, worker: str) -> None:
        self._redis = client
        self._key = keys.loads(model)
        self._worker = worker

    def begin(self, number: int, fingerprint: str) -> None:
        """This process begins to load a version, whose files look like this.

        Where that cannot be written it loads all the same: a full server is waiting for the workers that free it.
        """
        with suppress(BrokerUnavailable), broker_errors():
            pipeline = self._redis.pipeline()
            pipeline.hset(self._key, self._field(number), fingerprint)
            pipeline.expire(self._key, _KEPT_S)
            pipeline.execute()

    def end(self, number: int) -> None:
        """It has ended, well or badly, and the process goes on."""
        with broker_errors():
            self._redis.hdel(self._key, self._field(number))

    def never_ended(self, number: int, fingerprint: str) -> bool:
        """Whether a process of this worker ended amid loading these very files."""
        with broker_errors():
            seen = cast(bytes | None, self._redis.hget(self._key, self._field(number)))
        return seen == fingerprint.encode()

    def now_us(self) -> int:
        """Redis's clock."""
        with broker_errors():
            return server_time_us(self._redis)

    def _field(self, number: int) -> str:
        return f"{number} {self._worker}"
