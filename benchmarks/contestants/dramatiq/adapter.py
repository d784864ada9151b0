"""dramatiq's command, and its count of finished jobs."""

from __future__ import annotations

import redis

from benchmarks.contestant import Contestant, WorkerSetting


def _worker(setting: WorkerSetting) -> list[str]:
    return ["-m", "dramatiq", "benchmarks.contestants.dramatiq.app", "--processes", "1", "--threads", "8"]


def _finished(client: redis.Redis, model: str, jobs: int) -> int:
    # A message is in this hash until it is acknowledged, which follows the storing of its result.
    return jobs - int(client.hlen("dramatiq:default.msgs"))


DRAMATIQ = Contestant("dramatiq", "dramatiq", _worker, _finished)
