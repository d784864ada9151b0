"""The Celery message of a job, and the event that tells Flower of it, as bytes for Redis.

Submitting writes record, input and message in one step, which Celery's producer cannot do: it has a connection of its
own. So the message is built here, after Celery's message protocol 2 (docs.celeryq.dev, "Message Protocol"), in the
envelope of kombu's virtual transports. Read in celery 5.7.0 (`app/amqp.py` `as_task_v2`, `events/dispatcher.py`) and
kombu 5.7.0 (`transport/virtual/base.py` `prepare_message`, `_inplace_augment_message`; `transport/redis.py` `_put`,
`_put_fanout`, `_get_publish_topic`). tests/contracts/test_message_format.py compares with what the installed Celery
sends and fails when they differ.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import time
import uuid
from typing import Any

from tasks.job import Job
from tasks.queues import LANE_PRIORITIES, queue_of

TASK_NAME = "predict"


def origin() -> str:
    """This process, as Celery names producers."""
    return f"celeriac-api-{os.getpid()}@{socket.gethostname()}"


def event_channel(database: int) -> str:
    """The Redis channel of `task-sent` events, which Flower hears."""
    return f"/{database}.celeryev/task.sent"


def task_message(job: Job) -> bytes:
    """The message that makes a worker run the job. It carries ids only, never input.

    What Flower, events and logs show as the arguments is the model's name and the job id.
    """
    headers: dict[str, Any] = {
        "lang": "py",
        "task": TASK_NAME,
        "id": job.id,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": job.id,
        "parent_id": None,
        "argsrepr": _shown_arguments(job),
        "kwargsrepr": "{}",
        "origin": origin(),
        "ignore_result": False,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    body = [[job.id], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    properties = {
        "correlation_id": job.id,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue_of(job.model)},
        "priority": LANE_PRIORITIES[job.lane],
    }
    return _envelope(body, headers, properties)


def sent_event(job: Job) -> bytes:
    """The `task-sent` event, so that Flower shows the job while it is still queued."""
    queue = queue_of(job.model)
    event = {
        "type": "task-sent",
        "uuid": job.id,
        "root_id": job.id,
        "parent_id": None,
        "name": TASK_NAME,
        "args": _shown_arguments(job),
        "kwargs": "{}",
        "retries": 0,
        "eta": None,
        "expires": None,
        "queue": queue,
        "exchange": "",
        "routing_key": queue,
        "hostname": origin(),
        "utcoffset": time.timezone // 3600,
        "pid": os.getpid(),
        "clock": 0,
        "timestamp": time.time(),
    }
    properties = {
        "delivery_mode": 1,
        "delivery_info": {"exchange": "celeryev", "routing_key": "task.sent"},
        "priority": 0,
    }
    return _envelope(event, {"hostname": origin()}, properties)


def _shown_arguments(job: Job) -> str:
    return f"({job.model}, {job.id})"


def _envelope(body: Any, headers: dict[str, Any], properties: dict[str, Any]) -> bytes:
    message = {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": properties | {"body_encoding": "base64", "delivery_tag": str(uuid.uuid4())},
    }
    return json.dumps(message).encode()
