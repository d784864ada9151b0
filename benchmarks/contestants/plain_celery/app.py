"""Plain Celery as its "First Steps" say: Redis for messages and results, a task, and the model loaded at the start."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.signals import worker_init

app = Celery("plain", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])

_model: dict[str, Callable[[bytes], list[float]]] = {}


@worker_init.connect
def load_model(**_: Any) -> None:
    """Once a worker. The producers that import this module need no TensorFlow."""
    from benchmarks.bare_model import load_one_row

    _model["predict"] = load_one_row()


@app.task
def predict(npy: bytes) -> list[float]:
    """One row, one call of the model."""
    return _model["predict"](npy)
