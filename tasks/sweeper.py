"""Finds jobs whose message is gone, and queues them again.

A claim never loses a message, but a server that keeps its append-only file once a second can, and so can a person with
`celery purge`. While a model's lists are empty and no worker holds a message of it, every job of it that has not ended
is such a job. Queueing one too many does no harm: it runs once, whatever the number of its messages.
"""

from __future__ import annotations

import json
from typing import Any, cast

import redis

from tasks import keys
from tasks.broker import broker_errors, server_time_us
from tasks.job import Job
from tasks.job_store import JobStore
from tasks.message import task_message
from tasks.queues import LANE_PRIORITIES, PRIORITY_STEPS, queue_list, queue_of

#: A younger job may be on its way between list and worker.
SETTLED_S = 20.0


def republish_lost(client: redis.Redis, store: JobStore) -> int:
    """Queue the jobs of all models whose message is gone; returns how many.

    Raises:
        BrokerUnavailable: Redis does not answer.
    """
    with broker_errors():
        models = cast(set[bytes], client.smembers(keys.MODELS))
        return sum(_republish(client, store, model.decode()) for model in models)


def _republish(client: redis.Redis, store: JobStore, model: str) -> int:
    before_us = server_time_us(client) - SETTLED_S * 1e6
    unfinished = cast(list[bytes], client.zrange(keys.unfinished(model), 0, before_us, byscore=True))
    if not unfinished or _has_messages(client, queue_of(model)):
        return 0
    lost = [job for job in store.find_many([raw.decode() for raw in unfinished]) if job and _is_settled(job, before_us)]
    for job in lost:
        client.lpush(queue_list(queue_of(job.model), LANE_PRIORITIES[job.lane]), task_message(job))
    return len(lost)


def _is_settled(job: Job, before_us: float) -> bool:
    return not job.is_finished and (job.started_at_us or 0) < before_us


def _has_messages(client: redis.Redis, queue: str) -> bool:
    lists = [queue_list(queue, priority) for priority in PRIORITY_STEPS]
    holders = [holder.decode() for holder in cast(list[bytes], client.zrange(keys.HOLDERS, 0, -1))]
    held = [holder for holder in holders if holder.partition(":held:")[2].partition(":")[2] in lists]
    pipeline: Any = client.pipeline(transaction=True)
    for key in (*lists, *held):
        pipeline.llen(key)
    pipeline.hvals(keys.UNACKED)
    *lengths, unacked = pipeline.execute()
    # kombu.transport.redis keeps JSON there: [message, exchange, routing key].
    return any(lengths) or any(json.loads(entry)[2] == queue for entry in unacked)
