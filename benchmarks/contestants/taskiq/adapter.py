"""taskiq's command, and its count of finished jobs."""

from __future__ import annotations

import redis

from benchmarks.contestant import Contestant, WorkerSetting


def _worker(setting: WorkerSetting) -> list[str]:
    app = "benchmarks.contestants.taskiq.app:broker"
    return ["-m", "taskiq", "worker", app, "--workers", "1", "--log-level", "WARNING"]


def _finished(client: redis.Redis, model: str, jobs: int) -> int:
    # Each result is a key of its own; beside them there is the stream.
    return int(client.dbsize()) - 1


TASKIQ = Contestant("taskiq", "taskiq", _worker, _finished)
