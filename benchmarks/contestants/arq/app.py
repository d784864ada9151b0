"""arq's worker settings, as its docs have them, with what makes it faster here: see `WorkerSettings`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from arq.connections import RedisSettings

REDIS = RedisSettings.from_dsn(os.environ["REDIS_URL"])


async def load_model(ctx: dict[str, Any]) -> None:
    """Once a worker. Producers need no TensorFlow."""
    from benchmarks.bare_model import load_one_row

    ctx["predict"] = load_one_row()


async def predict(ctx: Mapping[str, Any], npy: bytes) -> list[float]:
    """One row, one call of the model, on the loop: a thread costs more."""
    outputs: list[float] = ctx["predict"](npy)
    return outputs


class WorkerSettings:
    """By default it looks for at most 100 jobs, every 0.5 s: 200 jobs/s. Here it looks as often as it can."""

    functions: ClassVar = [predict]
    on_startup = load_model
    redis_settings = REDIS
    poll_delay = 0.01
    queue_read_limit = 500
