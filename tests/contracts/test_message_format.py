"""The bytes that `tasks.message` builds, beside what the installed Celery and kombu put on the wire."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import redis
from celery import Celery

from tasks.job import Job, Lane, new_job_id
from tasks.message import event_channel, sent_event, task_message
from tasks.queues import LANE_PRIORITIES, queue_list, queue_of

#: These are the producer's own, or differ with each message.
VOLATILE = {"delivery_tag", "origin", "hostname", "pid", "clock", "timestamp", "utcoffset", "reply_to"}


def opened(raw: bytes) -> dict[str, Any]:
    message = json.loads(raw)
    message["body"] = json.loads(base64.b64decode(message["body"]))
    return message


def without_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_volatile(item) for name, item in value.items() if name not in VOLATILE}
    return value


@pytest.mark.parametrize("lane", list(Lane))
def test_message_and_event_are_those_of_celery(client: redis.Redis, lane: Lane, valkey: Any) -> None:
    # Given what Celery itself sends for such a task
    job = Job(id=new_job_id(), model="digits", version=1, lane=lane)
    shown = f"({job.model}, {job.id})"
    heard = client.pubsub()
    heard.psubscribe("*")
    assert heard.get_message(timeout=5)
    with Celery(broker=valkey.url, set_as_current=False) as app:
        app.conf.task_send_sent_event = True
        app.send_task(
            "predict",
            [job.id],
            task_id=job.id,
            queue=queue_of(job.model),
            priority=LANE_PRIORITIES[lane],
            argsrepr=shown,
            ignore_result=False,
        )
    sent = opened(client.rpop(queue_list(queue_of(job.model), LANE_PRIORITIES[lane])))
    event = heard.get_message(timeout=5)
    heard.close()
    # When we build the same
    ours, our_event = opened(task_message(job)), opened(sent_event(job))
    # Then they differ in nothing but what is each producer's own
    sent["properties"].pop("argsrepr")  # Celery leaves send_task's option there too; nobody reads it
    assert without_volatile(ours) == without_volatile(sent)
    assert set(ours["properties"]) == set(sent["properties"])
    assert event["channel"].decode() == event_channel(0)
    theirs = opened(event["data"])
    assert without_volatile(our_event) == without_volatile(theirs)
    assert set(our_event["body"]) == set(theirs["body"])


def test_each_message_and_event_is_its_own_jobs_with_a_delivery_tag_of_its_own() -> None:
    tags = set()
    for model in ("digits", "digits", "hands"):
        job = Job(id=new_job_id(), model=model, version=1)
        for raw in (task_message(job), task_message(job), sent_event(job)):
            message = opened(raw)
            assert job.id in str(message["body"])
            assert "~" not in str(message)
            tags.add(message["properties"]["delivery_tag"])
    assert len(tags) == 9
