"""The messages that this process has claimed and not yet acknowledged. It outlives connections and their channels."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from itertools import count
from time import monotonic
from typing import NamedTuple, Protocol

from tasks.job import Lane


class Wanted(NamedTuple):
    """How many messages to claim now, and from which lanes' lists, those to be emptied first foremost."""

    number: int
    lanes: tuple[Lane, ...]


class Demand(Protocol):
    """Who decides what is claimed, and wants to know what became of it. Called on the event loop."""

    def wanted(self) -> Wanted:
        """What is to be claimed now; the prefetch count may allow less."""

    def is_idle(self) -> bool:
        """Whether nothing is in hand: then a message is claimed the moment that it comes, with all that came."""

    def emptied(self, lanes: Collection[Lane]) -> None:
        """What the latest claim has shown: nothing waits in the lists of these lanes, of others it is not known."""

    def lost(self, tags: frozenset[str]) -> None:
        """These messages are another worker's now."""


class Claims:
    """What one worker holds: for each delivery tag the token of its claim. Changed on the event loop alone.

    A tag comes back with a message that was returned and claimed anew, a token never does: it is what makes a claim
    this one. Acknowledgements and returns are collected here until the channel of the day sends them.

    Attributes:
        owner: This process, as hexadecimal digits.
        demand: Decides what is claimed; None claims what the channel's prefetch count allows.
    """

    def __init__(self) -> None:
        self.owner = uuid.uuid4().hex
        self.demand: Demand | None = None
        self._tokens: dict[str, str] = {}
        self._acknowledged: dict[str, str] = {}
        self._rejected: dict[str, str] = {}
        self._returned: dict[str, str] = {}
        self._numbers = count(1)
        # The first renewal is never late: a worker that has just loaded its model has held nobody up.
        self._renewed_s = float("inf")
        self._late_s = float("-inf")

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, tag: object) -> bool:
        return tag in self._tokens

    @property
    def tokens(self) -> Mapping[str, str]:
        """Delivery tag to token of all that is held."""
        return self._tokens

    def new_token(self) -> str:
        """For the next claim."""
        return f"{self.owner}:{next(self._numbers)}"

    def renewed(self, lease_s: float) -> None:
        """All claims were renewed now; more than two thirds of a lease after the last time that was late.

        Whatever held up everybody for less than that has ended nobody's lease: all renew three times in one.
        """
        before_s, self._renewed_s = self._renewed_s, monotonic()
        if self._renewed_s - before_s > lease_s * 2 / 3:
            self._late_s = self._renewed_s

    def in_time_for_s(self) -> float:
        """Seconds since a renewal was late; endless when none was."""
        return monotonic() - self._late_s

    def add(self, tag: str, token: str) -> None:
        """A message was claimed."""
        self._tokens[tag] = token

    def acknowledge(self, tag: str) -> None:
        """It is done with; Redis is told with the next `take_acknowledged`. A claim that is not held is passed over."""
        if token := self._tokens.pop(tag, None):
            self._acknowledged[tag] = token

    def reject(self, tag: str) -> None:
        """It goes back to the end of its list; Redis is told with the next `take_rejected`."""
        if token := self._tokens.pop(tag, None):
            self._rejected[tag] = token

    def give_back(self, tag: str) -> None:
        """It goes back to where it came from, to run next; Redis is told with the next `take_returned`."""
        if token := self._tokens.pop(tag, None):
            self._returned[tag] = token

    def take_acknowledged(self) -> dict[str, str]:
        """What was acknowledged since the last call."""
        taken, self._acknowledged = self._acknowledged, {}
        return taken

    def take_rejected(self) -> dict[str, str]:
        """What was rejected since the last call."""
        taken, self._rejected = self._rejected, {}
        return taken

    def take_returned(self) -> dict[str, str]:
        """What was given back since the last call."""
        taken, self._returned = self._returned, {}
        return taken

    def put_back(
        self, acknowledged: Mapping[str, str], rejected: Mapping[str, str], returned: Mapping[str, str]
    ) -> None:
        """Redis could not be told; the next connection will."""
        self._acknowledged.update(acknowledged)
        self._rejected.update(rejected)
        self._returned.update(returned)

    def drop(self, tags: Iterable[str]) -> None:
        """They were given back."""
        for tag in tags:
            self._tokens.pop(tag, None)

    def forget(self, tags: Iterable[str]) -> None:
        """They are another worker's now."""
        gone = frozenset(tag for tag in tags if self._tokens.pop(tag, None))
        if gone and self.demand:
            self.demand.lost(gone)
