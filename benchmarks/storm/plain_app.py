"""Plain Celery as its "First Steps" say: Redis for messages and results, a task, and the model loaded at the start."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.signals import worker_init

app = Celery("plain", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])

_model: dict[str, Callable[[list[list[float]]], list[list[float]]]] = {}


@worker_init.connect
def load_model(**_: Any) -> None:
    """Once a worker. The producers that import this module need no TensorFlow."""
    import tensorflow as tf

    loaded = tf.saved_model.load(os.environ["STORM_MODEL"])
    call = loaded.signatures["serving_default"]

    def predict(rows: list[list[float]]) -> list[list[float]]:
        answer: list[list[float]] = call(x=tf.constant(rows, tf.float32))["y"].numpy().tolist()
        return answer

    predict([[0.0, 0.0, 0.0]])
    _model["predict"] = predict


@app.task
def predict(rows: list[list[float]]) -> list[list[float]]:
    """One job, one call of the model."""
    return _model["predict"](rows)
