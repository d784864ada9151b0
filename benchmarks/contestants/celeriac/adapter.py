"""Celeriac as its README starts it."""

from __future__ import annotations

import redis

from benchmarks.contestant import Contestant, Way, WorkerSetting
from tasks import keys


def _worker(setting: WorkerSetting) -> list[str]:
    name = setting.model
    options = ["-Q", f"model.{name}", "-n", f"{name}@%h", "--without-gossip", "--without-mingle"]
    return ["-m", "celery", "-A", "tasks.app", "worker", *options, "--loglevel", "WARNING"]


def _finished(client: redis.Redis, model: str, jobs: int) -> int:
    return sum(int(count) for count in client.hvals(keys.finished(model)))


def _web(port: int) -> list[str]:
    return ["-m", "api"]


#: Submit and wait in one request; a job that is not finished after that is asked for with a long poll.
_WAYS = (Way("Celeriac", "/v1/models/{model}/jobs", query="?wait=30"),)

CELERIAC = Contestant("celeriac", "Celeriac", _worker, _finished, _web, _WAYS, is_ours=True)
