"""Which connections the event loop listens on, and what it does when one has something to read."""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import redis as kombu_redis

logger = logging.getLogger(__name__)


class Poller(kombu_redis.MultiChannelPoller):  # type: ignore[misc]
    """kombu's poller; once on an event loop, its channels claim instead of popping.

    Attributes:
        loop: The event loop, set by the transport; None without one.
    """

    loop: Any = None

    @property
    def fds(self) -> dict[int, Any]:
        """The connections that the loop does not listen on yet: kombu hands them over anew with each turn."""
        registered: dict[int, Any] = super().fds
        readers = self.loop.readers if self.loop else ()
        return {fileno: channel for fileno, channel in registered.items() if fileno not in readers}

    def on_poll_start(self) -> None:
        """Before each poll of the loop."""
        if self.loop is None:
            super().on_poll_start()
            return
        for channel in self._channels:
            if channel.active_queues:
                channel.fetch()
            if channel.active_fanout_queues:
                self._register_LISTEN(channel)

    def on_readable(self, fileno: int) -> None:
        """A connection has something to read. kombu leaves control commands unread while no message may be taken."""
        if self.loop is None:
            super().on_readable(fileno)
        elif fileno in self._fd_to_chan:
            channel, kind = self._fd_to_chan[fileno]
            channel.handlers[kind]()

    def keep_leases(self) -> None:
        """Have the channels that consume renew their leases."""
        for channel in self._channels:
            if channel.claiming:
                channel.keep_leases()

    def is_registered(self, channel: Any, client: Any, kind: str) -> bool:
        """Whether the loop listens on a client's connection."""
        return client.connection._sock is not None and (channel, client, kind) in self._chan_to_sock

    def register(self, channel: Any, client: Any, kind: str) -> None:
        """Have the loop listen on a client's connection, and call the channel's handler of this kind."""
        self._register(channel, client, kind)
