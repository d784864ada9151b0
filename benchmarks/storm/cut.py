"""Cuts processes' connections to the broker, as a network or a firewall does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import psutil
import redis

from benchmarks.storm.schedule import BROKER


def cut(client: redis.Redis, target: str, family: Sequence[psutil.Process]) -> bool:
    """Have the broker close the connections of some processes, or of all when it is the target itself.

    Args:
        client: of the broker; its own connection stays.
        target: whose are meant.
        family: the processes behind that name.

    Returns:
        Whether there was one.
    """
    if target == BROKER:
        return any([client.client_kill_filter(_type=kind, skipme=True) for kind in ("normal", "pubsub")])
    return any([client.client_kill_filter(addr=address) for one in family for address in _addresses(one)])


def _addresses(process: psutil.Process) -> list[str]:
    """The near ends of a process's TCP connections, as the broker knows its clients."""
    with suppress(psutil.Error):
        return [f"{one.laddr.ip}:{one.laddr.port}" for one in process.net_connections("tcp") if one.raddr]
    return []
