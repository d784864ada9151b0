"""Ends the lifetimes of all finished jobs at once, and tells what outlives them."""

from __future__ import annotations

from collections.abc import Iterator

import redis

from benchmarks.storm.records import portions
from benchmarks.storm.schedule import MODELS
from tasks import keys
from tasks.job_store import JobStore
from tasks.quarantine import Quarantine

_SHORTENED_S = 1

_OF_A_JOB = (keys.job(""), keys.idempotency(""))
_OF_A_MODEL = (keys.model, keys.model_workers, keys.finished, keys.input_bytes, keys.swept)

#: They belong to models and to those who serve them, not to jobs.
_STAYING = frozenset(
    {
        keys.MODELS,
        keys.EXPECTED,
        keys.KEEPER_LOCK,
        keys.HOLDERS,
        *(key(model) for key in _OF_A_MODEL for model in MODELS),
    }
)


def shorten(client: redis.Redis) -> None:
    """Let every key of a job go in a second if it has a lifetime at all, and the quarantine's index now."""
    for names in portions(name for start in _OF_A_JOB for name in _names(client, start)):
        pipeline = client.pipeline(transaction=False)
        for name in names:
            pipeline.expire(name, _SHORTENED_S, xx=True)
        pipeline.execute()
    # As the keeper does it, once they are old enough.
    Quarantine(client, JobStore(client, _SHORTENED_S), _SHORTENED_S).forget_older_than(0)


def survivors(client: redis.Redis) -> dict[str, int]:
    """What is left of jobs when their lifetimes are over: how many of their keys, and other keys by name."""
    listings = JobStore(client, _SHORTENED_S).listings
    while listings.trim(_SHORTENED_S):
        # As the keeper does it, in one sweep after the other.
        pass
    names = [name for name in _names(client, keys.PREFIX) if name not in _STAYING]
    others = [name for name in names if not name.startswith(_OF_A_JOB)]
    left = {"keys of jobs after their lifetimes": len(names) - len(others), **dict.fromkeys(others, 1)}
    return {name: count for name, count in left.items() if count}


def _names(client: redis.Redis, start: str) -> Iterator[str]:
    return (key.decode() for key in client.scan_iter(start + "*", count=1000))
