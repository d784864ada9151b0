"""The broker's memory: how full it is, and whether the server would throw jobs away rather than refuse new ones."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import InvalidResponse, ResponseError

from tasks.broker import broker_errors
from tasks.errors import BrokerUnavailable, EvictionPossible

logger = logging.getLogger(__name__)

#: The `maxmemory-policy` under which a full server refuses writes.
KEEPS_ALL = "noeviction"

#: The server is asked no more often than this.
LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class BrokerMemory:
    """What `INFO memory` says; `max_bytes` is 0 without a limit, `policy` is empty where it is not told."""

    used_bytes: int
    max_bytes: int
    policy: str

    def is_beyond(self, percent: int) -> bool:
        """Whether more than this part of the limit is in use."""
        return self.max_bytes > 0 and self.used_bytes * 100 > self.max_bytes * percent


def read_memory(client: redis.Redis) -> BrokerMemory:
    """The server's memory. One that tells nothing of it counts as one without limit and policy.

    Asked with INFO: hosted servers often forbid CONFIG.

    Raises:
        BrokerUnavailable: it does not answer.
    """
    with broker_errors():
        try:
            told: dict[str, Any] = client.info("memory")
        except (ResponseError, InvalidResponse):
            told = {}
    return BrokerMemory(
        used_bytes=int(told.get("used_memory", 0)),
        max_bytes=int(told.get("maxmemory", 0)),
        policy=str(told.get("maxmemory_policy", "")),
    )


def refuse_eviction(client: redis.Redis) -> None:
    """Ask the server once what it does when its memory is full. One that cannot tell, or is away, is only warned of.

    Raises:
        EvictionPossible: it would throw away what is stored.
    """
    try:
        policy = read_memory(client).policy
    except BrokerUnavailable:
        logger.warning("The broker does not answer yet, so its maxmemory-policy is not checked. It must be noeviction.")
        return
    if not policy:
        logger.warning("The broker does not tell its maxmemory-policy. Make sure that it is noeviction.")
    elif policy != KEEPS_ALL:
        raise EvictionPossible(_may_evict(policy))


def _may_evict(policy: str) -> str:
    return (
        f"The broker's maxmemory-policy is expected as {KEEPS_ALL}; it is {policy}, which throws jobs and results "
        f"away when memory is full. Set it to {KEEPS_ALL} in the server's configuration."
    )


class MemoryGuard:
    """Whether the server's memory is full, as it was a moment ago. Safe to share between threads.

    Args:
        client: of the broker.
        percent: of `maxmemory`; None: it is never full, and nobody is asked.
    """

    def __init__(self, client: redis.Redis, percent: int | None) -> None:
        self._redis = client
        self._percent = percent
        self._looked_at_s = float("-inf")
        self._is_full = False

    def is_full(self) -> bool:
        """Whether more of the limit is in use than may be.

        Raises:
            BrokerUnavailable: the server does not answer, or may throw away what it is given.
        """
        now_s = time.monotonic()
        if self._percent is not None and now_s - self._looked_at_s >= LOOK_EVERY_S:
            # Before the answer, so that of many threads one asks.
            self._looked_at_s = now_s
            memory = read_memory(self._redis)
            if memory.policy not in ("", KEEPS_ALL):
                # At the start it may not have answered.
                self._looked_at_s = float("-inf")
                raise BrokerUnavailable(_may_evict(memory.policy))
            self._is_full = memory.is_beyond(self._percent)
        return self._is_full
