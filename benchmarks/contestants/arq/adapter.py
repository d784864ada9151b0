"""arq's command, and its count of finished jobs."""

from __future__ import annotations

import redis

from benchmarks.contestant import Contestant, WorkerSetting


def _worker(setting: WorkerSetting) -> list[str]:
    return ["-m", "arq", "benchmarks.contestants.arq.app.WorkerSettings"]


def _finished(client: redis.Redis, model: str, jobs: int) -> int:
    # A job stays in the queue until its result is stored.
    return jobs - int(client.zcard("arq:queue"))


ARQ = Contestant("arq", "arq", _worker, _finished)
