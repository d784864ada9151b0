"""The connection to the broker, its clock, and its ways of being away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel

from tasks.errors import BrokerUnavailable
from tasks.redis_url import parse_redis_url
from tasks.settings import DEFAULT_MASTER

#: A broker that has not answered after this many seconds counts as down.
BROKER_TIMEOUT_S = 5.0

#: More than all threads of a process can hold at once. redis-py stops at 100.
MAX_CONNECTIONS = 2048

#: How sentinels are asked: when one is away the next at once, where redis-py would try the same one for seconds.
SENTINEL_OPTIONS: dict[str, Any] = {
    "socket_timeout": BROKER_TIMEOUT_S,
    "socket_connect_timeout": BROKER_TIMEOUT_S,
    "retry": Retry(NoBackoff(), 0),
}

#: Answers of a server that cannot serve for the moment, for which redis-py has no class of their own: it cannot write
#: its disk, runs a long script, misses its replicas or its master.
_PASSING = ("MISCONF", "BUSY", "NOREPLICAS", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN")


def connect(url: str, sentinel_master: str = DEFAULT_MASTER) -> redis.Redis:
    """A client for the broker's URL; connects with the first command. Answers are bytes.

    Args:
        url: see `tasks.redis_url`.
        sentinel_master: the name under which the sentinels of a `sentinel://` know the server. After a failover the
            client goes on with the server that they name then.

    Raises:
        SettingsError: the URL cannot be used.
    """
    where = parse_redis_url(url)
    options: dict[str, Any] = {
        "db": where.database,
        "username": where.username,
        "password": where.password,
        "socket_timeout": BROKER_TIMEOUT_S,
        "socket_connect_timeout": BROKER_TIMEOUT_S,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "max_connections": MAX_CONNECTIONS,
    }
    if where.has_sentinels:
        sentinels = cast(Any, Sentinel)(where.addresses, sentinel_kwargs=SENTINEL_OPTIONS, **options)
        client: redis.Redis = sentinels.master_for(sentinel_master)
        return client
    options["host"], options["port"] = where.addresses[0]
    if where.tls is not None:
        options |= {"connection_class": redis.SSLConnection, **where.tls}
    return redis.Redis.from_pool(redis.ConnectionPool(**options))


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
    except InvalidResponse as error:
        raise BrokerUnavailable("Something else than Redis answers at the broker's address.") from error
    except (OutOfMemoryError, ReadOnlyError) as error:
        raise BrokerUnavailable(f"The broker takes no writes now: {error}.") from error
    except ResponseError as error:
        if not str(error).startswith(_PASSING):
            raise
        raise BrokerUnavailable(f"The broker takes nothing now: {error}.") from error
