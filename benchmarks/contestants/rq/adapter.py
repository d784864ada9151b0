"""RQ's command, and its count of finished jobs."""

from __future__ import annotations

import redis

from benchmarks.contestant import Contestant, WorkerSetting


def _worker(setting: WorkerSetting) -> list[str]:
    return ["-m", "benchmarks.contestants.rq.worker"]


def _finished(client: redis.Redis, model: str, jobs: int) -> int:
    return int(client.zcard("rq:finished:default"))


RQ = Contestant("rq", "RQ", _worker, _finished)
