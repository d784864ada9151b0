"""dramatiq with its Redis broker and its Redis results, as its user guide says."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend


class Model(Middleware):  # type: ignore[misc, unused-ignore]
    """Loads the model in the worker process before its threads start. Producers need no TensorFlow."""

    predict: Callable[[bytes], list[float]]

    def before_worker_boot(self, broker: Any, worker: Any) -> None:
        """Load it."""
        from benchmarks.bare_model import load_one_row

        self.predict = load_one_row()


model = Model()
broker = RedisBroker(url=os.environ["REDIS_URL"], middleware=None)
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["REDIS_URL"])))
broker.add_middleware(model)
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)  # type: ignore[untyped-decorator, unused-ignore]
def predict(npy: str) -> list[float]:
    """One row, one call of the model; bytes as base64, since messages are JSON."""
    return model.predict(base64.b64decode(npy))
