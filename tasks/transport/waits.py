"""Waiting for the first message: a connection for each list, on which Redis itself moves it to this worker's side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from redis.exceptions import OutOfMemoryError

from tasks.transport.scripts import SourceList

#: Redis ends a wait without a message after this long, so a dead connection is noticed soon after.
WAIT_S = 5
#: An answer this much later than that will not come.
OVERDUE_S = 10.0


@dataclass(frozen=True)
class ClaimAhead:
    """A claim that Redis is to make directly after a wait: its token, its lists, how many at most, its command."""

    token: str
    lists: Sequence[SourceList]
    most: int
    command: tuple[Any, ...]


@dataclass
class Wait:
    """One list's connection.

    Attributes:
        source: The list.
        client: Has the connection.
        since_s: When Redis was asked, by the monotonic clock; None while it is not.
        ahead: The claim that follows, if one does.
        is_refused: Whether Redis is full and would not wait; it is to be asked again later.
    """

    source: SourceList
    client: Any
    since_s: float | None = None
    ahead: ClaimAhead | None = None
    is_refused: bool = False


@dataclass(frozen=True)
class Moved:
    """Redis's answer: whether a message was moved, and if a claim followed, that claim and the answer to it."""

    moved: bool
    ahead: ClaimAhead | None = None
    claimed: Any = None


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

    def ask(self, wait: Wait, ahead: ClaimAhead | None) -> None:
        """Have Redis move the list's next message, now or when it comes, and claim then, if it is to.

        Redis runs the second command directly after the first, which saves a way there and back.
        """
        connection = wait.client.connection
        connection.send_command("BLMOVE", wait.source.key, wait.source.holding, "RIGHT", "LEFT", WAIT_S)
        if ahead:
            connection.send_command(*ahead.command)
        wait.since_s, wait.ahead = monotonic(), ahead

    def read(self, key: str) -> Moved:
        """The answer, which has arrived.

        Raises:
            redis.exceptions.ConnectionError: the connection was cut.
            redis.exceptions.NoScriptError: Redis does not know the claim's script; the message may have been moved.
        """
        wait = self._waits[key]
        wait.since_s = None
        moved = self._was_moved(wait)
        if wait.ahead is None:
            return Moved(moved)
        return Moved(moved, wait.ahead, wait.client.parse_response(wait.client.connection, "EVALSHA"))

    def _was_moved(self, wait: Wait) -> bool:
        try:
            return wait.client.parse_response(wait.client.connection, "BLMOVE") is not None
        except OutOfMemoryError:
            # Asking again at once would keep both sides busy.
            wait.since_s, wait.is_refused = monotonic(), True
            return False

    def cut(self, connection: Any) -> None:
        """A connection has ended; nothing comes of what was asked on it."""
        for wait in self._waits.values():
            if wait.client.connection is connection:
                wait.since_s = None

    def drop_overdue(self) -> None:
        """End connections whose answer is overdue: the other end is gone without a word. Ask again where refused."""
        for wait in self._waits.values():
            if wait.is_refused:
                wait.since_s, wait.is_refused = None, False
            if wait.since_s is not None and monotonic() - wait.since_s > WAIT_S + OVERDUE_S:
                wait.client.connection.disconnect()

    def close(self) -> None:
        """End all connections. A message that is moved at this moment is found in the holding list."""
        for wait in self._waits.values():
            connection, wait.client.connection, wait.since_s = wait.client.connection, None, None
            if connection is not None:
                connection.disconnect()
        self._waits.clear()
