"""taskiq with the stream broker and the result backend of taskiq-redis, as its README says."""

from __future__ import annotations

import base64
import os
from typing import Annotated

from taskiq import Context, TaskiqDepends, TaskiqEvents, TaskiqState
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

broker = RedisStreamBroker(url=os.environ["REDIS_URL"]).with_result_backend(
    RedisAsyncResultBackend(redis_url=os.environ["REDIS_URL"])
)


@broker.on_event(TaskiqEvents.WORKER_STARTUP)  # type: ignore[untyped-decorator, unused-ignore]
async def load_model(state: TaskiqState) -> None:
    """Once a worker. Producers need no TensorFlow."""
    from benchmarks.bare_model import load_one_row

    state.predict = load_one_row()


@broker.task  # type: ignore[untyped-decorator, unused-ignore]
async def predict(npy: str, context: Annotated[Context, TaskiqDepends()]) -> list[float]:
    """One row, one call of the model, on the loop: a thread costs more; bytes as base64, since messages are JSON."""
    outputs: list[float] = context.state.predict(base64.b64decode(npy))
    return outputs
