"""Calls of one Lua script in turn, each built while the server works on the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import redis
from redis.commands.core import Script
from redis.connection import PythonRespSerializer
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

#: A larger argument is sent as it is, by redis-py's own packer. hiredis, faster with small ones, makes a string
#: of each command and enlarges it piece by piece: 7 ms for 3 MB instead of 0.03, and no thread runs meanwhile.
_LARGE_BYTES = 262_144


class ScriptCall(NamedTuple):
    """KEYS and ARGV of a call, and who is told its answer, before the next call is sent."""

    keys: list[str]
    args: list[Any]
    heed: Callable[[Any], None]


def stream_calls(client: redis.Redis, script: Script, calls: Iterable[ScriptCall]) -> None:
    """Make calls that do no harm when made twice, one at a time; after one that fails no more are made.

    redis-py sends only when it has time to wait for the answer. Here the answer is read when the next call is ready.
    """
    # redis-py leaves most of a connection's methods untyped.
    connection: Any = client.connection_pool.get_connection()
    under_way: ScriptCall | None = None
    try:
        for call in calls:
            _finish(connection, script, under_way)
            under_way = _begin(connection, script, call)
        _finish(connection, script, under_way)
    except BaseException:
        # An answer may still be on its way, and the next user of the connection must not get it.
        connection.disconnect()
        raise
    finally:
        client.connection_pool.release(connection)


def _begin(connection: Any, script: Script, call: ScriptCall) -> ScriptCall | None:
    """Send a call; gives it back when there is an answer to wait for."""
    try:
        _send(connection, "EVALSHA", script.sha, len(call.keys), *call.keys, *call.args)
    except RedisConnectionError:
        call.heed(script(keys=call.keys, args=call.args))
        return None
    return call


def _send(connection: Any, *command: Any) -> None:
    if any(isinstance(part, bytes) and len(part) > _LARGE_BYTES for part in command):
        # redis-py leaves this one untyped too.
        packer: Any = PythonRespSerializer(_LARGE_BYTES, connection.encoder.encode)
        connection.send_packed_command(packer.pack(*command))
    else:
        connection.send_command(*command)


def _finish(connection: Any, script: Script, call: ScriptCall | None) -> None:
    if call is None:
        return
    try:
        answer = connection.read_response()
    except (NoScriptError, RedisConnectionError):
        # The server was restarted or replaced: once more. One that does not answer in time is not asked again.
        connection.disconnect()
        answer = script(keys=call.keys, args=call.args)
    call.heed(answer)
