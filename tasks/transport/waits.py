"""Waiting for the first message: a connection for each list, on which Redis itself moves it to this worker's side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from tasks.transport.scripts import SourceList

#: Redis ends a wait without a message after this long, so a dead connection is noticed soon after.
WAIT_S = 5
#: An answer this much later than that will not come.
OVERDUE_S = 10.0


@dataclass
class Wait:
    """One list's connection. `since_s` is when Redis was asked, None while it is not."""

    source: SourceList
    client: Any
    since_s: float | None = None


class Waits:
    """The blocked connections of one channel.

    BLMOVE takes a message off the list and puts it onto the worker's holding list in one step, so it is in Redis at
    every moment, and it wakes one of those that wait, not all. It knows one list only, hence a connection for each.

    Args:
        make_client: gives a client with a connection of its own, which tells the channel when it is cut.
    """

    def __init__(self, make_client: Callable[[], Any]) -> None:
        self._make_client = make_client
        self._waits: dict[str, Wait] = {}

    def of(self, source: SourceList) -> Wait:
        """The connection for a list."""
        if source.key not in self._waits:
            self._waits[source.key] = Wait(source, self._make_client())
        return self._waits[source.key]

    def all_pending(self, sources: list[SourceList]) -> bool:
        """Whether Redis will tell of a message in any of these lists."""
        return all(source.key in self._waits and self._waits[source.key].since_s is not None for source in sources)

    def ask(self, wait: Wait) -> None:
        """Have Redis move the list's next message, now or when it comes."""
        wait.client.connection.send_command("BLMOVE", wait.source.key, wait.source.holding, "RIGHT", "LEFT", WAIT_S)
        wait.since_s = monotonic()

    def read(self, key: str) -> bool:
        """The answer, which has arrived: whether a message was moved.

        Raises:
            redis.exceptions.ConnectionError: the connection was cut.
        """
        wait = self._waits[key]
        wait.since_s = None
        return wait.client.parse_response(wait.client.connection, "BLMOVE") is not None

    def cut(self, connection: Any) -> None:
        """A connection has ended; nothing comes of what was asked on it."""
        for wait in self._waits.values():
            if wait.client.connection is connection:
                wait.since_s = None

    def drop_overdue(self) -> None:
        """End connections whose answer is overdue: the other end is gone without a word."""
        for wait in self._waits.values():
            if wait.since_s is not None and monotonic() - wait.since_s > WAIT_S + OVERDUE_S:
                wait.client.connection.disconnect()

    def close(self) -> None:
        """End all connections. A message that is moved at this moment is found in the holding list."""
        for wait in self._waits.values():
            connection, wait.client.connection, wait.since_s = wait.client.connection, None, None
            if connection is not None:
                connection.disconnect()
        self._waits.clear()
