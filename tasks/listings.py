"""The jobs of each owner, to be found again: listings that `lua/submit.lua` writes and the keeper trims.

A listing has an entry for each job, in the order in which they were recorded. A page of it looks at a limited number of
entries, so it may hold fewer jobs than were asked for, even none, and yet tell where the next one begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import redis

from tasks import keys
from tasks.broker import broker_errors, server_time_us

_LUA = Path(__file__).parent / "lua"

#: Entries that one call of a script looks at. Each held up the server for 8 µs among a million jobs, 2 µs among few
#: (2026-11-22, two shared cores under load), so nobody else waits for more than 2 ms.
ENTRIES_A_CALL = 200
#: Calls for one page: a rare job among a million is found after a hundred pages.
CALLS_A_PAGE = 50
#: Calls for one listing in one sweep. Sweeps are 5 s apart, so 10,000 jobs a second are kept up with.
CALLS_A_TRIM = 250


@dataclass(frozen=True)
class Wanted:
    """Which jobs are looked for; empty: any."""

    model: str = ""
    status: str = ""
    tag: str = ""

    @property
    def is_any(self) -> bool:
        """Whether all of them are."""
        return self == Wanted()


@dataclass(frozen=True)
class Page:
    """Ids of jobs, the newest first, and the entry after which the next page begins; None: there is no more."""

    job_ids: Sequence[str]
    after: str | None


class Listings:
    """The listings of all owners. Every method raises BrokerUnavailable when Redis does not answer.

    Args:
        client: of the broker, see `tasks.broker.connect`.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._list = client.register_script((_LUA / "list.lua").read_text())
        self._trim = client.register_script((_LUA / "trim.lua").read_text())

    def page(self, owner: str, wanted: Wanted, after: str | None, limit: int) -> Page:
        """Some jobs of an owner.

        Args:
            owner: whose; empty: of those who have no API key.
            wanted: which of them.
            after: of the page before; None: begin with the newest.
            limit: the most jobs to give.
        """
        found: list[str] = []
        for _ in range(CALLS_A_PAGE):
            missing = limit - len(found)
            # One more than is missing, to see whether there is a next page.
            most = min(ENTRIES_A_CALL, missing + 1) if wanted.is_any else ENTRIES_A_CALL
            begin = f"({after}" if after else "+"
            args: list[str | int] = [keys.job(""), begin, most, missing, wanted.model, wanted.status, wanted.tag]
            with broker_errors():
                last, ids = self._list(keys=[keys.listing(owner)], args=args)
            found += [raw.decode() for raw in ids]
            after = last.decode() or None
            if after is None or len(found) == limit:
                break
        return Page(found, after)

    def trim(self, result_ttl_s: int) -> int:
        """Drop entries whose records are gone; returns how many. It goes on from where the last one ended.

        Args:
            result_ttl_s: a record stays at least for so long, so younger entries are not looked at.
        """
        with broker_errors():
            before_ms = server_time_us(self._redis) // 1000 - result_ttl_s * 1000
            owners = cast(list[bytes], self._redis.hkeys(keys.LISTED))
            return sum(self._trim_one(owner.decode(), before_ms) for owner in owners)

    def _trim_one(self, owner: str, before_ms: int) -> int:
        dropped = 0
        for _ in range(CALLS_A_TRIM):
            args: list[str | int] = [owner, keys.job(""), before_ms, ENTRIES_A_CALL]
            looked_at, gone = self._trim(keys=[keys.listing(owner), keys.LISTED], args=args)
            dropped += gone
            if looked_at < ENTRIES_A_CALL or not gone:
                break
        return dropped
