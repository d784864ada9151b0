"""How a worker takes messages of the task `predict`: Celery's consumer strategy, with batches instead of a pool.

It does what `celery.worker.strategy:default` does up to the pool: the request, revoked and expired ones, the received
event and signal, `reserved` for `inspect`. The rest is `tasks.batching.announce`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import signals
from celery.exceptions import InvalidTaskError
from celery.worker import state
from celery.worker.strategy import hybrid_to_proto2, proto1_to_proto2
from kombu.asynchronous.timer import to_timestamp

from tasks.batching.entry import Entry
from tasks.batching.line import Line
from tasks.batching.request import BatchedRequest, read_body
from tasks.deliveries import Delivery
from tasks.queues import lane_of
from tasks.transport.channel import Channel

#: Most events in one message. Celery's own limit is 24.
EVENTS_AT_ONCE = 512

Handler = Callable[..., None]


def batching(task: Any, app: Any, consumer: Any) -> Handler:
    """The strategy. Celery calls it again after each reconnect; jobs in hand stay in hand.

    Returns:
        What Celery calls with each message.
    """
    line = task.line_for(consumer.hub)
    if line is None:
        return _refuse
    _take_over(line, consumer)
    take = _Taking(task, app, consumer, line)
    return take.message


def _refuse(*_: Any) -> None:
    raise InvalidTaskError("This worker serves no model; the task predict belongs into a queue model.NAME.")


def _take_over(line: Line, consumer: Any) -> None:
    """After a reconnect Celery has forgotten what waits here, and its events have a new connection."""
    dispatcher = consumer.event_dispatcher
    if dispatcher is not None:
        dispatcher.buffer_limit = EVENTS_AT_ONCE
        dispatcher.on_send_buffered = line.events_wait
    line.flush_events = dispatcher.flush if dispatcher is not None else None
    for entry in line.batcher.unfinished():
        entry.request.eventer = dispatcher
        state.task_reserved(entry.request)
    for request in state.active_requests:
        request.eventer = dispatcher


class _Taking:
    """One connection's messages."""

    def __init__(self, task: Any, app: Any, consumer: Any, line: Line) -> None:
        self._task = task
        self._app = app
        self._consumer = consumer
        self._line = line
        self._utc = app.uses_utc_timezone()

    def message(self, message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:
        """Take one message.

        Raises:
            InvalidTaskError: it is not for this task.
        """
        tag = message.delivery_tag
        token = Channel.claims.tokens.get(tag, "")
        request = self._request(message, body, tag, token)
        if not request.args:
            raise InvalidTaskError("The task predict is called with a job's id.")
        if (request.expires or request.id in state.revoked) and request.revoked():
            return
        signals.task_received.send(sender=self._consumer, request=request)
        self._send_received(request)
        state.task_reserved(request)
        for callback in callbacks or ():
            callback(request)
        priority = request.delivery_info.get("priority") or 0
        self._add(Entry(request, Delivery(tag, token, str(request.args[0])), lane_of(priority)))

    def _request(self, message: Any, body: Any, tag: str, token: str) -> BatchedRequest:
        headers, decoded, utc = message.headers, False, self._utc
        if body is not None:
            body, headers, decoded, utc = proto1_to_proto2(message, body)
        elif "args" in read_body(message):
            body, headers, decoded, utc = hybrid_to_proto2(message, message.payload)

        def is_ours() -> bool:
            # The message may have been returned to its list and claimed anew, here even, under the same tag.
            return Channel.claims.tokens.get(tag) == token

        def acknowledge(logger: Any, errors: Any) -> None:
            if is_ours():
                message.ack_log_error(logger, errors)

        def reject(logger: Any, errors: Any, requeue: bool) -> None:
            if is_ours():
                message.reject_log_error(logger, errors, requeue)

        return BatchedRequest(
            message,
            on_ack=acknowledge,
            on_reject=reject,
            app=self._app,
            hostname=self._consumer.hostname,
            eventer=self._consumer.event_dispatcher,
            task=self._task,
            connection_errors=self._consumer.connection_errors,
            body=body,
            headers=headers,
            decoded=decoded,
            utc=utc,
        )

    def _send_received(self, request: BatchedRequest) -> None:
        request.send_event(
            "task-received",
            name=request.name,
            args=request.argsrepr,
            kwargs=request.kwargsrepr,
            root_id=request.root_id,
            parent_id=request.parent_id,
            retries=request.request_dict.get("retries", 0),
            eta=request.eta and request.eta.isoformat(),
            expires=request.expires and request.expires.isoformat(),
        )

    def _add(self, entry: Entry) -> None:
        if entry.request.eta:
            # Celery's own list of scheduled requests is emptied by a reconnect, which the claim outlives.
            self._consumer.timer.call_at(to_timestamp(entry.request.eta), self._line.batcher.add, (entry,))
        else:
            self._line.batcher.add(entry)
