"""The end of a worker: it finishes the batch in hand and gives the rest back."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import bootsteps
from celery.bootsteps import RUN
from celery.worker import state

from tasks.batching.entry import Entry
from tasks.batching.line import Line
from tasks.message import TASK_NAME
from tasks.transport.transport import RENEWALS_A_LEASE

logger = logging.getLogger(__name__)

#: How often the events of a finishing worker are sent; its leases are renewed as often as its transport says.
TURN_S = 0.05


class Drain(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step of Celery's consumer that stops before the connection does. A reconnect stops it too, and passes."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def stop(self, consumer: Any) -> None:
        """Finish the batch in hand, and return all other claims to their lists."""
        if consumer.blueprint.state == RUN:
            return
        channel, line = consumer.task_consumer.channel, consumer.app.tasks[TASK_NAME].line
        left = _finish(line, channel) if line else []
        _run_pending(consumer.hub)
        _return_rest(channel)
        for entry in left:
            state.task_ready(entry.request)
        if consumer.event_dispatcher:
            consumer.event_dispatcher.flush()


def _finish(line: Line, channel: Any) -> list[Entry]:
    """Finish the batch in hand; returns all jobs that have not begun."""
    line.finish(_Turn(channel, line).meanwhile, TURN_S)
    return line.batcher.withdraw()


def _return_rest(channel: Any) -> None:
    try:
        channel.settle()
        # All that is still held, since some may wait for their time, see `tasks.batching.strategy`.
        if returned := channel.give_back(list(channel.claims.tokens)):
            logger.info("%d jobs that had not begun are back in the queue.", returned)
    except channel.connection_errors as error:
        logger.warning(
            "The broker does not answer (%s): what had not begun runs elsewhere when its lease is over.",
            type(error).__name__,
        )


def _run_pending(hub: Any) -> None:
    """Do what was left to the loop's next turn, as Celery does acknowledgements: there is none any more."""
    for callback in hub._pop_ready():
        callback()


class _Turn:
    """What the event loop would do meanwhile."""

    def __init__(self, channel: Any, line: Any) -> None:
        self._channel = channel
        self._line = line
        self._renewed_s = time.monotonic()

    def meanwhile(self) -> None:
        self._line.notices.deliver()
        try:
            self._keep_up()
        except self._channel.connection_errors as error:
            logger.warning("The broker does not answer, leases are not renewed: %s.", type(error).__name__)

    def _keep_up(self) -> None:
        self._channel.settle()
        if time.monotonic() - self._renewed_s > self._channel.lease_s / RENEWALS_A_LEASE:
            self._channel.keep_leases()
            self._renewed_s = time.monotonic()
