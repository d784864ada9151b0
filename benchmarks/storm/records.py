"""Reads what Redis holds of jobs, and what should not be left there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, cast

import redis

from benchmarks.storm.audit import Found
from benchmarks.storm.schedule import MODELS
from tasks import keys
from tasks.job import Job
from tasks.queues import PRIORITY_STEPS, queue_list, queue_of

_AT_ONCE = 500

#: The part of a result that holds the models' one output, see `tasks.result`.
_OUTPUT = b"output:0:y"


def read_all(client: redis.Redis, job_ids: Sequence[str]) -> dict[str, Found]:
    """The records and results of jobs; those without a record are left out."""
    found = {}
    for some in portions(job_ids):
        pipeline = client.pipeline(transaction=False)
        for job_id in some:
            pipeline.hgetall(keys.job(job_id))
            pipeline.hget(keys.job_result(job_id), _OUTPUT.decode())
        answers = pipeline.execute()
        for job_id, record, output in zip(some, answers[::2], answers[1::2], strict=True):
            if record:
                found[job_id] = _found(Job.from_hash(job_id, record), output)
    return found


def ended(client: redis.Redis) -> int:
    """How many jobs have ended since the broker was empty."""
    return sum(int(count) for model in MODELS for count in client.hvals(keys.finished(model)))


def unfinished(client: redis.Redis) -> int:
    """How many jobs have not ended."""
    return sum(int(client.zcard(keys.unfinished(model))) for model in MODELS)


def quarantined(client: redis.Redis) -> set[str]:
    """The jobs that are kept for inspection, of all models."""
    found = [cast(list[bytes], client.zrange(keys.quarantine(model), 0, -1)) for model in MODELS]
    return {job_id.decode() for some in found for job_id in some}


def leftovers(client: redis.Redis) -> dict[str, int]:
    """What is in lists, claims and indexes though no job is unfinished, and keys of jobs that would stay for ever."""
    lists = [queue_list(queue_of(model), priority) for model in MODELS for priority in PRIORITY_STEPS]
    lists += [key.decode() for key in client.scan_iter(keys.PREFIX + "held:*")]
    indexes = ["unacked_index", keys.LEASES, keys.DEADLINES]
    indexes += [key for model in MODELS for key in (keys.unfinished(model), keys.running(model))]
    left: dict[str, int] = {name: int(client.llen(name)) for name in lists}
    left |= {name: int(client.hlen(name)) for name in (keys.UNACKED, keys.OWNERS)}
    left |= {name: int(client.zcard(name)) for name in indexes}
    left |= {name: int(client.get(name) or 0) for name in map(keys.input_bytes, MODELS)}
    left["keys of jobs without a lifetime"] = sum(1 for _ in _immortals(client))
    return {name: count for name, count in left.items() if count}


def _immortals(client: redis.Redis) -> Iterator[str]:
    starts = (keys.job(""), keys.idempotency(""))
    names = (key.decode() for start in starts for key in client.scan_iter(start + "*", count=_AT_ONCE))
    for some in portions(names):
        pipeline = client.pipeline(transaction=False)
        for name in some:
            pipeline.ttl(name)
        yield from (name for name, ttl_s in zip(some, pipeline.execute(), strict=True) if ttl_s == -1)


def _found(job: Job, output: bytes | None) -> Found:
    return Found(str(job.status), job.failure_type, job.finished_at_us or 0, job.attempt, output)


def portions(items: Iterable[Any]) -> Iterator[list[Any]]:
    """The items in lists, each for one pipeline."""
    rest = iter(items)
    while portion := list(islice(rest, _AT_ONCE)):
        yield portion
