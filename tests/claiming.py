"""Workers that claim by the scripts alone, and messages as kombu writes them, for the tests of claims."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
import redis

from tasks import keys
from tasks.broker import server_time_us
from tasks.queues import PRIORITY_STEPS, lane_of, queue_list
from tasks.transport.scripts import Claimed, ClaimScripts, SourceList

QUEUE = "model.digits"
LEASE_S = 10.0


class Worker:
    """What a worker knows: its name, its lists, and the tokens of what it claimed."""

    def __init__(self, client: redis.Redis, lease_s: float = LEASE_S, queue: str = QUEUE) -> None:
        self.owner = uuid.uuid4().hex
        self.scripts = ClaimScripts(client, "unacked", "unacked_index", lease_s)
        names = {queue_list(queue, priority): lane_of(priority) for priority in PRIORITY_STEPS}
        self.lists = [SourceList(name, queue, lane, keys.held(self.owner, name)) for name, lane in names.items()]
        self.tokens: dict[str, str] = {}

    def claim(self, most: int = 100) -> list[Claimed]:
        token = f"{self.owner}:{len(self.tokens) + 1}"
        claimed = self.scripts.claim(self.lists, most, token).messages
        self.tokens |= {message.tag: token for message in claimed}
        return claimed

    def holdings(self) -> list[str]:
        return [source.holding for source in self.lists]

    def dies(self, client: redis.Redis) -> None:
        """Its leases end, as they do when it no longer renews them."""
        expire(client, self.tokens, self.holdings())


def expire(client: redis.Redis, tags: Mapping[str, str], holdings: Sequence[str]) -> None:
    past_us = server_time_us(client) - 1
    for index, names in ((keys.LEASES, tags), (keys.HOLDERS, holdings)):
        if names:
            client.zadd(index, dict.fromkeys(names, past_us), xx=True)


def message(tag: str, queue: str = QUEUE, priority: int = 0, body: str = "W10=") -> bytes:
    """As kombu's virtual transports write it."""
    properties = {
        "correlation_id": tag,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": priority,
        "body_encoding": "base64",
        "delivery_tag": tag,
    }
    envelope = {
        "body": body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"task": "predict", "id": tag},
        "properties": properties,
    }
    return json.dumps(envelope).encode()


def push(client: redis.Redis, *tags: str, queue: str = QUEUE, priority: int = 0) -> None:
    for tag in tags:
        client.lpush(queue_list(queue, priority), message(tag, queue, priority))


def tags_of(claimed: Sequence[Claimed]) -> list[str]:
    return [one.tag for one in claimed]


def queued(client: redis.Redis, queue: str = QUEUE, priority: int = 0) -> list[str]:
    """The tags of a list, the one that is taken next first."""
    raws = client.lrange(queue_list(queue, priority), 0, -1)
    return [json.loads(raw)["properties"]["delivery_tag"] for raw in reversed(raws)]


def recorded(client: redis.Redis) -> list[set[str]]:
    """The tags in each of the four places where a claim is recorded."""
    places = [client.hkeys("unacked"), client.zrange("unacked_index", 0, -1)]
    places += [client.zrange(keys.LEASES, 0, -1), client.hkeys(keys.OWNERS)]
    return [{tag.decode() for tag in place} for place in places]


def is_claimed(client: redis.Redis, tags: set[str]) -> bool:
    return recorded(client) == [tags] * 4


@contextmanager
def full(client: redis.Redis) -> Iterator[None]:
    """A server that has reached its limit, and evicts nothing."""
    client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.lpush(QUEUE, b"one more")
        yield
    finally:
        client.config_set("maxmemory", "0")
