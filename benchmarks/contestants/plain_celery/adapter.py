"""Plain Celery's commands: a worker with the solo pool, and gunicorn with Flask."""

from __future__ import annotations

import redis

from benchmarks.contestant import Contestant, Way, WorkerSetting

_APP = "benchmarks.contestants.plain_celery.app"
_WEB = "benchmarks.contestants.plain_celery.web:app"


def _worker(setting: WorkerSetting) -> list[str]:
    events = ["-E"] if setting.events else []
    return ["-m", "celery", "-A", _APP, "worker", "--pool", "solo", "--loglevel", "WARNING", *events]


def _finished(client: redis.Redis, model: str, jobs: int) -> int:
    return jobs - int(client.llen("celery")) - int(client.hlen("unacked"))


def _web(port: int) -> list[str]:
    server = ["-m", "gunicorn", "--worker-class", "gthread", "--workers", "2", "--threads", "32"]
    # gunicorn's 2 s end connections that wait for their turn on a busy machine.
    return [*server, "--keep-alive", "60", "--bind", f"127.0.0.1:{port}", _WEB]


_WAYS = (
    Way("plain Celery + Flask", "/jobs", poll_ms=10),
    Way("plain Celery + Flask, get() in the request", "/predict"),
)

PLAIN_CELERY = Contestant("plain_celery", "plain Celery", _worker, _finished, _web, _WAYS)
