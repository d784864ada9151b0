"""Names of queues and of the lists behind them; pure."""

from __future__ import annotations

from tasks.job import Lane
from tasks.keys import SYSTEM_PREFIX

QUEUE_PREFIX = "model."
KEEPER_QUEUE = "keeper"
CALLBACK_QUEUE = "callbacks"

#: kombu's priorities, 0 first. kombu.transport.redis has a list for each of its steps 0, 3, 6 and 9.
LANE_PRIORITIES = {Lane.INTERACTIVE: 0, Lane.BULK: 9}
PRIORITY_STEPS = (0, 3, 6, 9)
#: Messages of Celery's own producers keep the priority that they were sent with: the lower half is the bulk lane.
BULK_PRIORITIES = frozenset({6, 9})

#: kombu.transport.redis joins queue and priority with these two bytes.
_PRIORITY_SEPARATOR = "\x06\x16"


def queue_of(model: str) -> str:
    """The queue of a model's jobs."""
    return QUEUE_PREFIX + model


def model_of(queue: str) -> str | None:
    """The model that a queue belongs to; None when the queue is no model's."""
    return queue.removeprefix(QUEUE_PREFIX) if queue.startswith(QUEUE_PREFIX) else None


def lane_of(priority: int) -> Lane:
    """The lane that a message of Celery's priority 0 (first) to 9 is in."""
    step = max(step for step in PRIORITY_STEPS if step <= max(priority, 0))
    return Lane.BULK if step in BULK_PRIORITIES else Lane.INTERACTIVE


def queue_list(queue: str, priority: int) -> str:
    """The Redis list, prefix included, in which kombu keeps a queue's messages of one priority (0, 3, 6 or 9)."""
    name = SYSTEM_PREFIX + queue
    return f"{name}{_PRIORITY_SEPARATOR}{priority}" if priority else name
