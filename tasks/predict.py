"""The Celery task `predict`: a message for it means that a recorded job is to be run."""

from __future__ import annotations

from typing import Any

from celery import Task, shared_task

from tasks.batching.line import Bench, Line
from tasks.message import TASK_NAME
from tasks.transport.channel import Channel


class PredictTask(Task):  # type: ignore[type-arg]
    """The task with what the process loaded for it.

    Attributes:
        bench: Set by `tasks.worker` before the first message.
        line: The worker's, once it consumes.
    """

    Strategy = "tasks.batching.strategy:batching"
    bench: Bench
    line: Line | None = None

    def line_for(self, hub: Any) -> Line | None:
        """The line, started with the first connection; None in a process without a model."""
        if self.line is None and getattr(self, "bench", None) is not None:
            self.line = Line(self.bench, hub.call_soon, hub.call_later)
            Channel.claims.demand = self.line.batcher
            self.line.start()
        return self.line


@shared_task(bind=True, base=PredictTask, name=TASK_NAME)
def predict(self: PredictTask, job_id: str) -> None:
    """Run one recorded job. Workers take its messages by the strategy and never call this.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError("Jobs are run by a worker of their model: send the task's message instead of calling it.")
