"""The Celery message of a job, and the event that tells Flower of it, as bytes for Redis.

Submitting writes record, input and message in one step, which Celery's producer cannot do: it has a connection of its
own. So the message is built here, after Celery's message protocol 2 (docs.celeryq.dev, "Message Protocol"), in the
envelope of kombu's virtual transports. Read in celery 5.7.0 (`app/amqp.py` `as_task_v2`, `events/dispatcher.py`) and
kombu 5.7.0 (`transport/virtual/base.py` `prepare_message`, `_inplace_augment_message`; `transport/redis.py` `_put`,
`_put_fanout`, `_get_publish_topic`). tests/contracts/test_message_format.py compares with what the installed Celery
sends and fails when they differ.

Two jobs' messages differ in three places only, so they are made once for each model and lane, with blanks, and a job
fills these in: a tenth of the time that JSON takes.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from binascii import b2a_base64
from functools import lru_cache
from typing import Any

from tasks.job import Job, Lane
from tasks.keys import SYSTEM_PREFIX
from tasks.queues import LANE_PRIORITIES, queue_of

TASK_NAME = "predict"

#: Blanks of a template, of characters that no model's name has. The id's is as long as an id and, in the body, begins
#: at a multiple of three bytes, so that in base64 too it is a part of its own.
_BLANK_ID = "~" * 36
_BLANK_TAG = "~tag~"
_BLANK_BODY = "~body~"

#: Beyond this many models and lanes a template is made anew now and then.
_TEMPLATES_KEPT = 1024


def origin() -> str:
    """This process, as Celery names producers."""
    return f"celeriac-api-{os.getpid()}@{socket.gethostname()}"


def event_channel(database: int) -> str:
    """The Redis channel of `task-sent` events, which Flower hears."""
    return f"{SYSTEM_PREFIX}/{database}.celeryev/task.sent"


def task_message(job: Job) -> bytes:
    """The message that makes a worker run the job. It carries ids only, never input.

    What Flower, events and logs show as the arguments is the model's name and the job id.
    """
    job_id = job.id.encode()
    return (
        _message_template(job.model, job.lane, os.getpid())
        .replace(_base64(_BLANK_ID.encode()), _base64(job_id))
        .replace(_BLANK_ID.encode(), job_id)
        .replace(_BLANK_TAG.encode(), str(uuid.uuid4()).encode())
    )


def sent_event(job: Job) -> bytes:
    """The `task-sent` event, so that Flower shows the job while it is still queued."""
    envelope, event = _event_templates(job.model, os.getpid())
    job_id = job.id.encode()
    body = event.replace(_BLANK_ID.encode(), job_id) + b', "timestamp": %r}' % time.time()
    return envelope.replace(_BLANK_BODY.encode(), _base64(body)).replace(_BLANK_TAG.encode(), job_id)


@lru_cache(_TEMPLATES_KEPT)
def _message_template(model: str, lane: Lane, pid: int) -> bytes:
    """A job's message with blanks for its id, plain and in base64, and the tag. `pid`: a fork is another origin."""
    headers: dict[str, Any] = {
        "lang": "py",
        "task": TASK_NAME,
        "id": _BLANK_ID,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": _BLANK_ID,
        "parent_id": None,
        "argsrepr": _shown_arguments(model),
        "kwargsrepr": "{}",
        "origin": origin(),
        "ignore_result": False,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    body = [[_BLANK_ID], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    properties = {
        "correlation_id": _BLANK_ID,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue_of(model)},
        "priority": LANE_PRIORITIES[lane],
    }
    return _envelope(_base64(json.dumps(body).encode()).decode(), headers, properties)


@lru_cache(_TEMPLATES_KEPT)
def _event_templates(model: str, pid: int) -> tuple[bytes, bytes]:
    """The envelope with blanks for body and tag; the event, up to its time, with a blank for the id."""
    queue = queue_of(model)
    event = {
        "type": "task-sent",
        "uuid": _BLANK_ID,
        "root_id": _BLANK_ID,
        "parent_id": None,
        "name": TASK_NAME,
        "args": _shown_arguments(model),
        "kwargs": "{}",
        "retries": 0,
        "eta": None,
        "expires": None,
        "queue": queue,
        "exchange": "",
        "routing_key": queue,
        "hostname": origin(),
        "utcoffset": time.timezone // 3600,
        "pid": pid,
        "clock": 0,
    }
    properties = {
        "delivery_mode": 1,
        "delivery_info": {"exchange": "celeryev", "routing_key": "task.sent"},
        "priority": 0,
    }
    return _envelope(_BLANK_BODY, {"hostname": origin()}, properties), json.dumps(event).encode().removesuffix(b"}")


def _shown_arguments(model: str) -> str:
    return f"({model}, {_BLANK_ID})"


def _envelope(body: str, headers: dict[str, Any], properties: dict[str, Any]) -> bytes:
    message = {
        "body": body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": properties | {"body_encoding": "base64", "delivery_tag": _BLANK_TAG},
    }
    return json.dumps(message).encode()


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)
