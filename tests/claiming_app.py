"""A small Celery application on our transport, for `tests.claiming_worker`: `celery -A tests.claiming_app worker`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from celery import Celery

_FOLDER = Path(os.environ["CLAIMING_FOLDER"])

app = Celery("claiming")
app.conf.update(
    json.loads(os.environ["CLAIMING_SETTINGS"]),
    task_acks_late=True,
    worker_prefetch_multiplier=4,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_channel_error_retry=True,
    worker_enable_prefetch_count_reduction=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    imports=["tasks.predict"],
)
app.steps["consumer"].add("tasks.batching.drain:Drain")


@app.task(name="note")
def note(value: str) -> None:
    """Write down that it ran."""
    _write("done", value)


@app.task(name="hold")
def hold(value: str) -> None:
    """Run until the test lets this process, or all, go on."""
    _write("begun", value)
    deadline_s = time.monotonic() + 60
    while not any((_FOLDER / name).exists() for name in ("go", f"go-{os.getpid()}")):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    _write("done", value)


def _write(name: str, value: str) -> None:
    with (_FOLDER / name).open("a") as file:
        file.write(f"{value} {os.getpid()}\n")
