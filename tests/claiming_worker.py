"""Real Celery workers on our transport that load no TensorFlow, and a stock Celery application beside them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from celery import Celery

from tasks import keys
from tests.processes import ROOT
from tests.system import eventually

QUEUE = "work"
TRANSPORT = "tasks.transport.transport:Transport"


class ClaimingWorker:
    """`celery -A tests.claiming_app worker` as a process.

    Args:
        folder: where its tasks write what they did.
        url: of the broker.
        options: transport options.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        *arguments: str,
        options: Mapping[str, Any] | None = None,
        transport: str = TRANSPORT,
        **settings: Any,
    ) -> None:
        number = len(list(folder.glob("output-*")))
        self.name = f"w{number}@tests"
        self.url = url
        self._output = folder / f"output-{number}"
        settings |= {"broker_url": url, "broker_transport": transport, "broker_transport_options": dict(options or {})}
        command = [sys.executable, "-m", "celery", "-A", "tests.claiming_app", "worker", "-Q", QUEUE, "-n", self.name]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "-P", "solo", "--without-mingle", "--without-gossip", "-l", "INFO", *arguments],
                cwd=ROOT,
                env={**os.environ, "CLAIMING_FOLDER": str(folder), "CLAIMING_SETTINGS": json.dumps(settings)},
                stdout=output,
                stderr=output,
            )

    def output(self) -> str:
        return self._output.read_text()

    def await_ready(self) -> ClaimingWorker:
        def ready() -> bool:
            assert self.process.poll() is None, self.output()
            return f"{self.name} ready." in self.output()

        eventually(ready)
        return self

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> str:
        """End it as an operator does; gives what it said."""
        self.process.terminate()
        assert self.process.wait(20) == 0
        return self.output()


class Workplace:
    """A folder with what the tasks did, and the workers started over it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.workers: list[ClaimingWorker] = []

    def worker(self, *arguments: str, url: str = "", **settings: Any) -> ClaimingWorker:
        """A worker, once it consumes."""
        worker = ClaimingWorker(self.folder, url or self.url, *arguments, **settings)
        self.workers.append(worker)
        return worker.await_ready()

    def written(self, name: str) -> list[str]:
        """The values in a file of the tasks, in order."""
        file = self.folder / name
        return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []

    def await_written(self, name: str, values: set[str], within_s: float = 20) -> list[str]:
        """Wait until these values stand in a file; gives all that stands there."""
        return list(eventually(lambda: values <= set(self.written(name)) and self.written(name), within_s))

    def let_go(self, worker: ClaimingWorker | None = None) -> None:
        """Let the tasks that hold on go on; those of one worker only."""
        (self.folder / (f"go-{worker.process.pid}" if worker else "go")).touch()

    def close(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()


@contextmanager
def stock_app(url: str, **options: Any) -> Iterator[Celery]:
    """A Celery application that knows nothing of us."""
    with Celery(broker=url, set_as_current=False) as app:
        app.conf.broker_transport_options = options
        yield app


def send(app: Celery, task: str, *values: str, **options: Any) -> list[str]:
    """Send a task for each value; gives the ids."""
    return [app.send_task(task, [value], queue=QUEUE, **options).id for value in values]


def nothing_is_held(client: redis.Redis) -> bool:
    """Whether no claim is recorded any more."""
    places = client.hlen("unacked"), client.zcard("unacked_index"), client.zcard(keys.LEASES), client.hlen(keys.OWNERS)
    return not any(places)
