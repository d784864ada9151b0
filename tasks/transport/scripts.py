"""The steps that change claims in Redis; each is one script, so it happens as a whole or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import redis

from tasks import keys
from tasks.job import Lane

_LUA = Path(__file__).parent / "lua"

#: Most claims that one call names: Lua unpacks no more than some 8,000 values, and a script holds all others up.
MOST_AT_ONCE = 1000

#: Redis may still be waiting on behalf of a worker that is gone, and move a message to its holding list.
_FORGET_HOLDING_AFTER_S = 60


@dataclass(frozen=True)
class SourceList:
    """A list that messages are claimed from: its key, its queue's name, its lane, this worker's holding list for it."""

    key: str
    queue: str
    lane: Lane
    holding: str


@dataclass(frozen=True)
class Claimed:
    """A claimed message as it lay in Redis."""

    queue: str
    lane: Lane
    tag: str
    raw: bytes


class Claim(NamedTuple):
    """The answer to a claim: what was taken, and the queues that are paused, of whose messages none is taken."""

    messages: list[Claimed]
    paused: Collection[str]


class ClaimScripts:
    """The scripts, for one connection to Redis.

    Args:
        client: of the broker; one that adds no prefix to keys.
        unacked: key of kombu's hash of messages that are not acknowledged, and
        unacked_index: of its index by time; both with the prefix of kombu's `global_keyprefix`.
        lease_s: how long a claim holds without being renewed.
    """

    def __init__(self, client: redis.Redis, unacked: str, unacked_index: str, lease_s: float) -> None:
        self._keys = [unacked, unacked_index, keys.LEASES, keys.OWNERS]
        self._lease_us = round(lease_s * 1_000_000)
        self._claim = _script(client, "claim")
        self._ack = _script(client, "ack")
        self._renew = _script(client, "renew")
        self._give_back = _script(client, "give_back")
        self._give_back_unknown = _script(client, "give_back_unknown")
        self._recover = _script(client, "recover")

    def claim(self, lists: Sequence[SourceList], most: int, token: str) -> Claim:
        """Take messages, at most `most`, the oldest of the first list first.

        The holding lists of this worker are known as its own from then on, so it may have Redis move messages there.
        """
        names, args = self._claim_arguments(lists, most, token)
        return read_claim(lists, self._claim(keys=names, args=args))

    def claim_command(self, lists: Sequence[SourceList], most: int, token: str) -> tuple[Any, ...]:
        """`claim` as a command, for a connection that is read later; `read_claim` reads the answer."""
        names, args = self._claim_arguments(lists, most, token)
        return ("EVALSHA", self._claim.sha, len(names), *names, *args)

    def _claim_arguments(self, lists: Sequence[SourceList], most: int, token: str) -> tuple[list[str], list[Any]]:
        sources = [key for source in lists for key in (source.key, source.holding)]
        names = [*self._keys, keys.HOLDERS, keys.UNREADABLE, keys.PAUSED, *sources]
        return names, [min(most, MOST_AT_ONCE), token, self._lease_us, *(source.queue for source in lists)]

    def acknowledge(self, tokens: Mapping[str, str]) -> None:
        """Drop messages that are done with."""
        for part in _parts(tokens):
            self._ack(keys=self._keys, args=part)

    def renew(self, tokens: Mapping[str, str], holdings: Iterable[str]) -> list[str]:
        """Make this worker's claims and its holding lists last a lease longer from now.

        Returns:
            Tags of the messages that are another worker's meanwhile.
        """
        held, lost = list(holdings), []
        for part in _parts(tokens) or [[]]:
            answer: list[bytes] = self._renew(
                keys=[*self._keys[1:], keys.HOLDERS], args=[self._lease_us, len(held), *held, *part]
            )
            lost += [tag.decode() for tag in answer]
        return lost

    def give_back(self, tokens: Mapping[str, str], lists: Sequence[SourceList] = (), run_next: bool = True) -> int:
        """Return messages to their lists, to be run next or after all others; returns how many.

        Args:
            tokens: of the messages, in the order in which they were claimed.
            lists: whose holding lists are emptied too.
            run_next: whether they are claimed next, or after all others.
        """
        held = [key for source in lists for key in (source.holding, source.key)]
        side = "RPUSH" if run_next else "LPUSH"
        latest_first = dict(reversed(list(tokens.items())))
        returned = 0
        for part in _parts(latest_first) or [[]]:
            returned += int(self._give_back(keys=self._keys, args=[side, len(lists), *held, *part]))
        return returned

    def give_back_unknown(self, owner: str, known: Iterable[str]) -> int:
        """Return what this worker has claimed without knowing it, because the answer was lost; returns how many.

        Args:
            owner: the worker.
            known: tags of the messages that it knows to have.
        """
        return int(self._give_back_unknown(keys=[*self._keys, keys.HOLDERS], args=[owner, *known]))

    def recover(self) -> int:
        """Return messages whose worker has not renewed its lease, whoever's they were; returns how many."""
        args = [MOST_AT_ONCE, _FORGET_HOLDING_AFTER_S * 1_000_000]
        return int(self._recover(keys=[*self._keys, keys.HOLDERS], args=args))


def read_claim(lists: Sequence[SourceList], answer: tuple[Sequence[Any], Sequence[bytes]]) -> Claim:
    """The claim script's answer."""
    claimed, paused = answer
    sources = [lists[number - 1] for number in claimed[::3]]
    rest = zip(sources, claimed[1::3], claimed[2::3], strict=True)
    messages = [Claimed(source.queue, source.lane, tag.decode(), raw) for source, tag, raw in rest]
    return Claim(messages, {queue.decode() for queue in paused})


def emptied_lanes(lists: Sequence[SourceList], claimed: Sequence[Claimed], most: int) -> set[Lane]:
    """The lanes of whose messages none is left, as a claim of at most `most` from these lists shows.

    Lists are emptied in turn: a claim that was full has emptied those before the one that its last message came from.
    """
    lanes = list(dict.fromkeys(source.lane for source in lists))
    return set(lanes if len(claimed) < most else lanes[: lanes.index(claimed[-1].lane)])


def _script(client: redis.Redis, name: str) -> Any:
    return client.register_script((_LUA / f"{name}.lua").read_text())


def _parts(tokens: Mapping[str, str]) -> list[list[str]]:
    """Tags and tokens in turn, in parts that a script can take."""
    flat = [text for pair in tokens.items() for text in pair]
    return [flat[start : start + 2 * MOST_AT_ONCE] for start in range(0, len(flat), 2 * MOST_AT_ONCE)]
