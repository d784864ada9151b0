"""Group commit: what threads want to store while one of them is storing goes together, in one step, next.

One that comes alone stores at once. With many, each step takes whoever has come during the one before, so a round trip,
a run of a script and a flush of Redis's append-only file are shared by all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from tasks.errors import BrokerUnavailable

T = TypeVar("T")
R = TypeVar("R")


class _Ticket(Generic[T, R]):
    """One thread's item, and what it is told of it."""

    def __init__(self, item: T) -> None:
        self.item = item
        self.is_done = False
        self.outcome: R | None = None
        self.error: BaseException | None = None
        # A bare lock: an event costs three of them, and every request makes one.
        self._told = threading.Lock()
        self._told.acquire()

    def wait(self) -> None:
        """Until the item is stored or could not be, or it is this thread's turn to store."""
        self._told.acquire()

    def tell(self) -> None:
        """End the wait."""
        self._told.release()


class GroupCommit(Generic[T, R]):
    """Stores items of many threads, those that come together in one call.

    Args:
        store: stores items and gives an outcome for each, in order; when it raises, any of them may be stored. Safe to
            call from several threads.
    """

    def __init__(self, store: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[T, R]] = []
        self._is_storing = False

    def store(self, item: T) -> R:
        """The item's outcome, once it was its turn.

        Raises:
            BrokerUnavailable: it may be stored or not.
        """
        ticket: _Ticket[T, R] = _Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
            must_wait, self._is_storing = self._is_storing, True
        if must_wait:
            ticket.wait()
        if not ticket.is_done and ticket.error is None:
            self._store_group(ticket)
        if isinstance(ticket.error, BrokerUnavailable):
            raise BrokerUnavailable(str(ticket.error)) from ticket.error
        if ticket.error is not None:
            # Perhaps another's item was at fault.
            return self._store([item])[0]
        return cast(R, ticket.outcome)

    def _store_group(self, own: _Ticket[T, R]) -> None:
        with self._lock:
            group, self._waiting = self._waiting, []
        error: BaseException | None = None
        try:
            outcomes = self._store([ticket.item for ticket in group])
            for ticket, outcome in zip(group, outcomes, strict=True):
                ticket.outcome = outcome
        except BaseException as caught:
            error = caught
            if not isinstance(caught, Exception):
                raise
        finally:
            self._end_turn([ticket for ticket in group if ticket is not own], error)
            own.is_done, own.error = error is None, error

    def _end_turn(self, others: Sequence[_Ticket[T, R]], error: BaseException | None) -> None:
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._is_storing = following is not None
        if following is not None:
            following.tell()
        for ticket in others:
            ticket.is_done, ticket.error = error is None, error
            ticket.tell()
