"""The connection to the broker, its clock, and its ways of being away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tasks.errors import BrokerUnavailable, SettingsError

#: A broker that has not answered after this many seconds counts as down.
BROKER_TIMEOUT_S = 5.0

#: Each long poll holds a connection of its own, beside those of the threads that do not wait. redis-py stops at 100.
MAX_CONNECTIONS = 2048

#: Answers of a server that cannot serve for the moment, for which redis-py has no class of their own: it cannot write
#: its disk, runs a long script, misses its replicas or its master.
_PASSING = ("MISCONF", "BUSY", "NOREPLICAS", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN")


def connect(url: str) -> redis.Redis:
    """A client for the broker's URL; connects with the first command. Answers are bytes.

    Raises:
        SettingsError: no client can be made of the URL. The sentence does not repeat it: it may hold a password.
    """
    if url.partition("://")[0] not in ("redis", "rediss"):
        raise SettingsError("REDIS_URL is expected as redis://HOST:PORT/DB, or rediss:// for TLS.")
    try:
        client: redis.Redis = redis.Redis.from_url(
            url,
            socket_timeout=BROKER_TIMEOUT_S,
            socket_connect_timeout=BROKER_TIMEOUT_S,
            socket_keepalive=True,
            health_check_interval=25,
            max_connections=MAX_CONNECTIONS,
        )
    except ValueError as error:
        raise SettingsError(f"REDIS_URL is expected as redis://HOST:PORT/DB, or rediss:// for TLS. {error}") from None
    return client


def server_time_us(client: redis.Redis) -> int:
    """Redis's clock, µs since 1970: the only clock that records and indexes go by."""
    seconds, microseconds = client.time()
    return seconds * 1_000_000 + microseconds


@contextmanager
def broker_errors() -> Iterator[None]:
    """Turn Redis's ways of being away into BrokerUnavailable; other errors are bugs and pass."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError) as error:
        raise BrokerUnavailable("The broker does not answer; try again in a moment.") from error
    except (OutOfMemoryError, ReadOnlyError) as error:
        raise BrokerUnavailable(f"The broker takes no writes now: {error}.") from error
    except ResponseError as error:
        if not str(error).startswith(_PASSING):
            raise
        raise BrokerUnavailable(f"The broker takes nothing now: {error}.") from error
