"""Finds jobs whose message is gone, and queues them again; which these are, `tasks.lost_jobs` says.

A claim never loses a message, but a server that keeps its append-only file once a second can, and so can a person with
`celery purge`. Queueing one too many does no harm: a job runs once, whatever the number of its messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import redis

from tasks import keys
from tasks.broker import broker_errors, server_time_us
from tasks.job import Job, Lane
from tasks.job_store import JobStore
from tasks.lost_jobs import is_lost, job_ids, settled_before_us
from tasks.message import task_message
from tasks.queues import LANE_PRIORITIES, PRIORITY_STEPS, lane_of, queue_list, queue_of
from tasks.submission import CHUNK_JOBS

#: Messages that are looked at in each list: the next ones to be taken.
PEEKED = 16

#: Jobs of a model that one sweep looks at; the next one goes on from there. More than one submission stores at once,
#: and so at the same time. Only where many are lost it looks at more.
PAGE = 1000
MOST_PAGES = 20


def republish_lost(client: redis.Redis, store: JobStore) -> int:
    """Queue the jobs of all models whose message is gone; returns how many.

    Raises:
        BrokerUnavailable: Redis does not answer.
    """
    with broker_errors():
        models = cast(set[bytes], client.smembers(keys.MODELS))
        return sum(_republish(client, store, model.decode()) for model in models)


def _republish(client: redis.Redis, store: JobStore, model: str) -> int:
    now_us = server_time_us(client)
    if not client.zcount(keys.unfinished(model), 0, settled_before_us(now_us, [])):
        return 0
    next_ids = _next_in_lists(client, model)
    before_us = {lane: settled_before_us(now_us, store.find_many(list(ids))) for lane, ids in next_ids.items()}
    seen = set().union(*next_ids.values())
    lost: dict[str, Job] = {}
    for page in islice(_pages(client, model, max(before_us.values())), MOST_PAGES):
        jobs = store.find_many(page)
        found = {job.id: job for job in jobs if job and is_lost(job, now_us, before_us[job.lane], seen)}
        if not found:
            break
        lost |= found
    held = _held(client, model) if lost else set()
    lost = {job_id: job for job_id, job in lost.items() if job_id not in held}
    for lane in Lane:
        _queue_next(client, queue_list(queue_of(model), LANE_PRIORITIES[lane]), _in_lane(lost.values(), lane))
    return len(lost)


def _next_in_lists(client: redis.Redis, model: str) -> Mapping[Lane, set[str]]:
    """The jobs of each lane whose messages are taken next."""
    pipeline: Any = client.pipeline(transaction=True)
    for priority in PRIORITY_STEPS:
        pipeline.lrange(queue_list(queue_of(model), priority), -PEEKED, -1)
    next_ids: dict[Lane, set[str]] = {lane: set() for lane in Lane}
    for priority, messages in zip(PRIORITY_STEPS, pipeline.execute(), strict=True):
        next_ids[lane_of(priority)] |= job_ids(messages)
    return next_ids


def _pages(client: redis.Redis, model: str, before_us: float) -> Iterator[Sequence[str]]:
    """Unfinished jobs that came before a time, from where the last sweep ended; it begins anew when all were looked at.

    A model may have a million jobs waiting in one lane, and one in the other that has lost its message.
    """
    from_us = float(cast(bytes | None, client.get(keys.swept(model))) or 0)
    while True:
        page = cast(
            list[tuple[bytes, float]],
            client.zrange(
                keys.unfinished(model), from_us, before_us, byscore=True, offset=0, num=PAGE, withscores=True
            ),
        )
        if len(page) < PAGE:
            client.delete(keys.swept(model))
            yield [raw.decode() for raw, _ in page]
            return
        from_us = page[-1][1]
        client.set(keys.swept(model), int(from_us))
        yield [raw.decode() for raw, _ in page]


def _held(client: redis.Redis, model: str) -> set[str]:
    """The jobs whose messages are at a worker, or on their way to one."""
    lists = [queue_list(queue_of(model), priority) for priority in PRIORITY_STEPS]
    holders = [holder.decode() for holder in cast(list[bytes], client.zrange(keys.HOLDERS, 0, -1))]
    pipeline: Any = client.pipeline(transaction=True)
    for holder in holders:
        if holder.partition(":held:")[2].partition(":")[2] in lists:
            pipeline.lrange(holder, 0, -1)
    pipeline.hvals(keys.UNACKED)
    return {job_id for messages in pipeline.execute() for job_id in job_ids(messages)}


def _in_lane(jobs: Iterable[Job], lane: Lane) -> Sequence[Job]:
    return sorted((job for job in jobs if job.lane is lane), key=lambda job: job.created_at_us or 0)


def _queue_next(client: redis.Redis, queue: str, jobs: Sequence[Job]) -> None:
    """Queue jobs before all others, the first one first: there the next sweep sees it, and they have waited enough."""
    messages = [task_message(job) for job in reversed(jobs)]
    for start in range(0, len(messages), CHUNK_JOBS):
        client.rpush(queue, *messages[start : start + CHUNK_JOBS])
