"""The transports to name in Celery's `broker_transport`, for a single Redis server and for Sentinel."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis as kombu_redis

from tasks.transport.channel import LEASE_S, Channel, SentinelChannel
from tasks.transport.poller import Poller

#: Leases are renewed this many times in their length, so two renewals may fail before a claim is lost.
RENEWALS_A_LEASE = 3
#: And no less often than this, since claims that are over are looked for then: one is found so soon after its end.
LOOK_EVERY_S = 3.0


class Transport(kombu_redis.Transport):  # type: ignore[misc]
    """kombu's Redis transport whose workers claim messages under leases. Keys and messages stay kombu's."""

    Channel = Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Claim from now on, and renew the leases on the loop: a loop that hangs loses them."""
        self.cycle.loop = loop
        super().register_with_event_loop(connection, loop)
        lease_s = connection.client.transport_options.get("lease_s", LEASE_S)
        loop.call_repeatedly(min(lease_s / RENEWALS_A_LEASE, LOOK_EVERY_S), self.cycle.keep_leases)


class SentinelTransport(Transport):
    """The same behind Redis Sentinel; a class of its own, since `broker_transport` overrides what the URL says."""

    default_port = kombu_redis.SentinelTransport.default_port
    Channel = SentinelChannel
