"""All contestants."""

from __future__ import annotations

from benchmarks.contestant import Contestant
from benchmarks.contestants.arq.adapter import ARQ
from benchmarks.contestants.celeriac.adapter import CELERIAC
from benchmarks.contestants.dramatiq.adapter import DRAMATIQ
from benchmarks.contestants.plain_celery.adapter import PLAIN_CELERY
from benchmarks.contestants.rq.adapter import RQ
from benchmarks.contestants.taskiq.adapter import TASKIQ

#: The other job queues.
QUEUES: tuple[Contestant, ...] = (RQ, DRAMATIQ, TASKIQ, ARQ)

ALL: tuple[Contestant, ...] = (CELERIAC, PLAIN_CELERY, *QUEUES)
