"""The channel: on an event loop it claims messages in batches; elsewhere it is kombu's."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import redis
from kombu.transport import redis as kombu_redis
from kombu.utils.json import loads
from redis.exceptions import NoScriptError, OutOfMemoryError

from tasks import keys
from tasks.broker import SENTINEL_OPTIONS
from tasks.job import Lane
from tasks.queues import lane_of
from tasks.reconnect import TIME_TO_RETURN_S
from tasks.transport.claims import Claims, Wanted
from tasks.transport.paused import LOOK_EVERY_S, Paused
from tasks.transport.qos import QoS
from tasks.transport.scripts import MOST_AT_ONCE, Claim, Claimed, ClaimScripts, SourceList, emptied_lanes, read_claim
from tasks.transport.waits import ClaimAhead, Waits

logger = logging.getLogger(__name__)

#: How long a claim holds without being renewed, in s, where the transport's options do not say.
LEASE_S = 15.0


# For the checker only: at run time the real channel comes after this class.
_Base: Any = kombu_redis.Channel if TYPE_CHECKING else object


class Claiming(_Base):  # type: ignore[misc]
    """What a channel of kombu's Redis transport needs to claim. Comes before such a channel in a class's bases.

    Attributes:
        claims: Those of this process, whatever connection they came by.
        claiming: Whether this channel claims; otherwise it pops messages as kombu does.
        lease_s: The transport option of this name.
    """

    QoS = QoS
    claims: ClassVar[Claims] = Claims()
    claiming = False
    lease_s = LEASE_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._waits = Waits(self._waiting_client)
        self._unacknowledged_queues: set[str] = set()
        self._known_lists: dict[tuple[str, int], SourceList] = {}
        self._paused = Paused()
        # So that the first look is a claim, which makes the holding lists known as this worker's.
        self._woken = True
        super().__init__(*args, **kwargs)

    def fetch(self) -> None:
        """Claim what is wanted and there; when that is less than wanted, wait for more. For each turn of the loop.

        Raises:
            redis.exceptions.RedisError: the connection or Redis fails.
        """
        self.settle()
        if not self.claiming:
            # After `settle`: what is acknowledged is not known any more.
            self.scripts.give_back_unknown(self.claims.owner, self.claims.tokens)
            self.claiming = True
            self._renew()
        most, lanes = self._wanted()
        if most <= 0:
            return
        sources = self._paused.leave_out(self._sources(lanes))
        if not sources:
            return
        if self._is_idle() and not self._woken:
            self._wait(sources, most)
        elif self._woken or not self._waits.all_pending(sources):
            self._woken = False
            token = self.claims.new_token()
            claim = self.scripts.claim(sources, most, token)
            self._heed_paused(claim.paused)
            if len(claim.messages) < most:
                self._wait(self._paused.leave_out(sources), 0 if claim.messages else most)
            self._take(claim, token, sources, most)

    def settle(self) -> None:
        """Tell Redis what was acknowledged, rejected and given back since the last time, in one step each."""
        acknowledged, rejected = self.claims.take_acknowledged(), self.claims.take_rejected()
        returned = self.claims.take_returned()
        try:
            if acknowledged:
                self.scripts.acknowledge(acknowledged)
                acknowledged = {}
            if rejected:
                self.scripts.give_back(rejected, run_next=False)
                rejected = {}
            if returned:
                self.scripts.give_back(returned)
                returned = {}
        finally:
            self.claims.put_back(acknowledged, rejected, returned)

    def keep_leases(self) -> None:
        """Renew what is held, and return to its list what other workers failed to renew."""
        self._renew()
        # Whatever held this worker up, a broker that was away for example, may have held up others that live. They have
        # time to come back, or what they still compute would be computed twice.
        is_steady = self.claims.in_time_for_s() > self.lease_s + TIME_TO_RETURN_S
        if is_steady and (returned := self.scripts.recover()):
            logger.warning("%d messages of workers that are gone are queued again.", returned)
        self._waits.drop_overdue()

    def _renew(self) -> None:
        self.claims.forget(self.scripts.renew(self.claims.tokens, [source.holding for source in self._sources()]))
        self.claims.renewed(self.lease_s)

    def give_back(self, tags: list[str]) -> int:
        """Stop waiting, and return these messages and those that are on their way here; returns how many."""
        sources = self._sources()
        self._waits.close()
        tokens = {tag: self.claims.tokens[tag] for tag in tags if tag in self.claims}
        returned = self.scripts.give_back(tokens, sources)
        self.claims.drop(tokens)
        # A claim may have ridden behind a wait that was closed before its answer was read.
        return returned + self.scripts.give_back_unknown(self.claims.owner, self.claims.tokens)

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        """Consume from a queue. Of one that is consumed without acknowledging, replies for example, a claim is over."""
        if no_ack:
            self._unacknowledged_queues.add(queue)
        else:
            self._unacknowledged_queues.discard(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    @cached_property
    def scripts(self) -> ClaimScripts:
        """The scripts, by a client that leaves the prefix of keys to us: kombu's puts it before the first key only."""
        prefix = self.global_keyprefix
        client = redis.Redis(connection_pool=self.pool)
        return ClaimScripts(client, prefix + self.unacked_key, prefix + self.unacked_index_key, self.lease_s)

    def close(self) -> None:
        """End the channel. What it claimed stays claimed."""
        self._waits.close()
        super().close()

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """A client; one for all calls, where kombu makes one for each."""
        yield client or self._shared_client

    @cached_property
    def _shared_client(self) -> Any:
        return self._create_client()

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)
        except OutOfMemoryError:
            # Its messages are claimed by the list's name, and to run them is what frees memory.
            logger.warning("Redis is full: the queue %s is consumed without being bound to %s.", queue, exchange)

    def _wanted(self) -> Wanted:
        allowed = self.qos.prefetch_count - len(self.claims) if self.qos.prefetch_count else MOST_AT_ONCE
        wanted = self.claims.demand.wanted() if self.claims.demand else Wanted(MOST_AT_ONCE, tuple(Lane))
        return wanted._replace(number=min(allowed, wanted.number))

    def _sources(self, lanes: Sequence[Lane] = tuple(Lane)) -> list[SourceList]:
        """The lists of these lanes of the queues that are consumed, in the order in which they are to be emptied."""
        queues = self.active_queues
        sources = [self._source(queue, priority) for priority in self.priority_steps for queue in queues]
        return [source for lane in lanes for source in sources if source.lane is lane]

    def _source(self, queue: str, priority: int) -> SourceList:
        if (queue, priority) not in self._known_lists:
            key = self.global_keyprefix + self._q_for_pri(queue, priority)
            source = SourceList(key, queue, lane_of(priority), keys.held(self.claims.owner, key))
            self._known_lists[queue, priority] = source
        return self._known_lists[queue, priority]

    def _take(self, claim: Claim, token: str, sources: Sequence[SourceList], most: int) -> None:
        for message in claim.messages:
            self.claims.add(message.tag, token)
        left = deque(claim.messages)
        try:
            while left:
                message = left.popleft()
                if message.queue in self._unacknowledged_queues:
                    self.claims.acknowledge(message.tag)
                self._deliver(message)
        finally:
            # Nobody would ever run what is claimed but was not delivered.
            for message in left:
                self.claims.reject(message.tag)
        # Once they are delivered: who hears that nothing waits in a lane must know of what was claimed.
        if self.claims.demand:
            # Where a queue is paused nothing waits, as far as a worker goes: what it holds need not give way to it.
            self.claims.demand.emptied(emptied_lanes(sources, claim.messages, most))

    def _deliver(self, message: Claimed) -> None:
        payload = _read(message.raw)
        try:
            if payload is not None:
                self.connection._deliver(payload, message.queue)
        except Exception:
            if message.tag in self.qos.delivered:
                raise
            payload = None
        if payload is None:
            self.claims.acknowledge(message.tag)
            logger.error("A message in %s is dropped: it is not what kombu writes.", message.queue)

    def _wait(self, sources: list[SourceList], most: int = 0) -> None:
        """Wait for a message in any list that is not waited for; with `most`, also claim so many when one comes."""
        for source in sources:
            wait = self._waits.of(source)
            kind = f"WAIT {source.key}"
            if not self.connection.cycle.is_registered(self, wait.client, kind):
                wait.since_s = None
                self.handlers[kind] = partial(self._on_moved, source.key)
                self.connection.cycle.register(self, wait.client, kind)
            if wait.since_s is None:
                self._waits.ask(wait, self._claim_ahead(sources, most) if most else None)

    def _claim_ahead(self, sources: list[SourceList], most: int) -> ClaimAhead:
        token = self.claims.new_token()
        return ClaimAhead(token, sources, most, self.scripts.claim_command(sources, most, token))

    def _on_moved(self, key: str) -> None:
        try:
            answer = self._waits.read(key)
        except NoScriptError:
            self._woken = True
            return
        if answer.ahead is None:
            self._woken = answer.moved or self._woken
        else:
            ahead, claim = answer.ahead, read_claim(answer.ahead.lists, answer.claimed)
            self._heed_paused(claim.paused)
            self._take(claim, ahead.token, ahead.lists, ahead.most)

    def _heed_paused(self, queues: Collection[str]) -> None:
        """Leave paused queues alone for a moment."""
        if not queues:
            return
        self._paused.note(queues)
        # The next look is a claim, and no wait: that would take a message first.
        self._woken = True
        self.connection.cycle.loop.call_later(LOOK_EVERY_S, _nothing)

    def _is_idle(self) -> bool:
        return self.claims.demand is None or self.claims.demand.is_idle()

    def _waiting_client(self) -> Any:
        client = self._create_client(asynchronous=True)
        client.connection = client.connection_pool.get_connection()
        return client

    def _on_connection_disconnect(self, connection: Any) -> None:
        self._waits.cut(connection)
        super()._on_connection_disconnect(connection)


def _nothing() -> None:
    """A turn of the loop is all that is wanted."""


def _read(raw: bytes) -> dict[str, Any] | None:
    try:
        # kombu's own reader (12 µs instead of 3) knows types that JSON has not; their name stands in the text.
        payload = loads(raw.decode()) if b'"__type__"' in raw else orjson.loads(raw)
    except ValueError:
        return None
    return payload if _is_message(payload) else None


def _is_message(payload: Any) -> bool:
    """Whether it has the parts that kombu and Celery take for granted."""
    if not (isinstance(payload, dict) and isinstance(payload.get("properties"), dict) and payload.get("body")):
        return False
    parts = (payload["body"], str), (payload.get("headers"), dict), (payload["properties"].get("delivery_info"), dict)
    return all(isinstance(part, kind) for part, kind in parts)


class Channel(Claiming, kombu_redis.Channel):  # type: ignore[misc]
    """For `redis://`, `rediss://` and `redis+socket://`."""

    from_transport_options = (*kombu_redis.Channel.from_transport_options, "lease_s")


class SentinelChannel(Claiming, kombu_redis.SentinelChannel):  # type: ignore[misc]
    """For `sentinel://`."""

    #: Not a transport option: those are told by `inspect stats` in JSON, and there is an object among these.
    sentinel_kwargs = SENTINEL_OPTIONS

    from_transport_options = (*kombu_redis.SentinelChannel.from_transport_options, "lease_s")
