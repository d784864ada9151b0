"""Acknowledging: a channel that claims goes by the claims of its process, any other does as kombu does."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from kombu.transport import redis as kombu_redis


class QoS(kombu_redis.QoS):  # type: ignore[misc]
    """kombu's bookkeeping of a channel's messages, where they are recorded in Redis before they arrive.

    A claim is not the channel's but the process's: when a connection breaks, nothing is returned to the lists, since
    its jobs are still being run here; the lease alone decides.
    """

    def append(self, message: Any, delivery_tag: str) -> None:
        """A message has arrived."""
        if self.channel.claiming:
            self._quick_append(delivery_tag, message)
        else:
            super().append(message, delivery_tag)

    @property
    def delivered(self) -> Container[str]:
        """The delivery tags of messages that have arrived and are neither acknowledged nor rejected."""
        tags: Container[str] = self._delivered
        return tags

    def can_consume(self) -> bool:
        """Whether the prefetch count allows one more message."""
        if not self.channel.claiming:
            return bool(super().can_consume())
        return not self.prefetch_count or len(self.channel.claims) < self.prefetch_count

    def ack(self, delivery_tag: str) -> None:
        """A message is done with."""
        if self.channel.claiming:
            self._delivered.pop(delivery_tag, None)
            self.channel.claims.acknowledge(delivery_tag)
        else:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """A message is not wanted here: drop it, or return it to the end of its list."""
        if not self.channel.claiming:
            super().reject(delivery_tag, requeue)
        elif requeue:
            self._delivered.pop(delivery_tag, None)
            self.channel.claims.reject(delivery_tag)
        else:
            self.ack(delivery_tag)

    def restore_unacked(self, client: Any = None) -> None:
        """Return what is not acknowledged, but for what was claimed."""
        if self.channel.claiming:
            self._delivered.clear()
        super().restore_unacked(client)

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """The same, once: kombu calls it at the end of the channel and again when this object is collected."""
        if self.channel.claiming:
            self._delivered.clear()
        super().restore_unacked_once(stderr)

    def restore_visible(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: leases are ended by Redis's clock, see `Claiming.keep_leases`.

        kombu goes by this machine's clock: one that is an hour ahead would take every claim of others for abandoned.
        It also takes a lock in Redis first, which a full server refuses.
        """
