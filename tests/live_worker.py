"""Real worker processes for the tests, over a store of tiny models and a Valkey server of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast

import numpy as np
import redis
from celery import Celery
from celery.events import EventReceiver

from tasks import keys
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tasks.payload import encode_arrays
from tasks.queues import CALLBACK_QUEUE, KEEPER_QUEUE, PRIORITY_STEPS, queue_list, queue_of
from tasks.result import result_json
from tests.system import eventually

ROOT = Path(__file__).parents[1]

#: Seconds; TensorFlow takes most of it.
START_TIMEOUT_S = 120.0


class LiveWorker:
    """One `celery -A tasks.app worker` of a model."""

    def __init__(self, store: Path, url: str, model: str, log: Path, name: str = "one", **environment: str) -> None:
        self.name = f"{name}@tests"
        self._log = log
        self._environment = {
            **os.environ,
            "REDIS_URL": url,
            "CELERIAC_MODEL_STORE": str(store),
            "CELERIAC_LEASE_S": "3",
            # One batch at a time, so that a test can occupy the model.
            "CELERIAC_PARALLEL_BATCHES": "1",
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        self._command = self._worker_of(queue_of(model))
        self.process: subprocess.Popen[bytes] | None = None

    def _worker_of(self, queue: str, *options: str) -> list[str]:
        worker = [sys.executable, "-m", "celery", "-A", "tasks.app", "worker", "-Q", queue]
        return [*worker, "-n", self.name, "-l", "INFO", *options]

    def as_keeper(self) -> LiveWorker:
        """Serve no model but the keeper's periodic work."""
        self._command = self._worker_of(KEEPER_QUEUE, "-B")
        return self

    def as_callbacks(self, threads: int = 8) -> LiveWorker:
        """Serve no model but send callbacks."""
        self._command = self._worker_of(CALLBACK_QUEUE, "-P", "threads", "-c", str(threads))
        return self

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def start(self) -> LiveWorker:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )
        return self

    def await_ready(self) -> LiveWorker:
        eventually(self._is_ready, START_TIMEOUT_S)
        return self

    def _is_ready(self) -> bool:
        assert self.process and self.process.poll() is None, self.output()
        return f"{self.name} ready." in self.output()

    def output(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def code(self, within_s: float = 30.0) -> int:
        assert self.process
        return self.process.wait(within_s)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)


def stock_app(url: str) -> Celery:
    """An application as a user of Celery has it: kombu's own transport, and no results."""
    app = Celery("stock", broker=url)
    app.conf.task_ignore_result = True
    return app


def make_job(model: str, arrays: dict[str, Any], **values: Any) -> tuple[Job, bytes]:
    """A job of arrays, with its input."""
    content_type, payload = encode_arrays(arrays)
    rows = len(next(iter(arrays.values())))
    return Job(id=new_job_id(), model=model, version=1, rows=rows, content_type=content_type, **values), payload


def linear_job(number: float, rows: int = 1, model: str = "linear", **values: Any) -> tuple[Job, bytes]:
    """A job of the linear model whose answer is 2 * number + 1 three times a row."""
    return make_job(model, {"x": np.full((rows, 3), number, "float32")}, **values)


def submit(store: JobStore, jobs: Sequence[tuple[Job, bytes]]) -> list[str]:
    store.submit_many(jobs)
    return [job.id for job, _ in jobs]


def records(store: JobStore, job_ids: Sequence[str]) -> list[Job]:
    return [cast(Job, job) for job in store.find_many(job_ids)]


def ended(store: JobStore, job_ids: Sequence[str], within_s: float = 60) -> list[Job]:
    """The records of jobs, once all have ended."""

    def all_have_ended() -> bool:
        return all(job.is_finished for job in records(store, job_ids))

    eventually(all_have_ended, within_s)
    return records(store, job_ids)


def statuses(jobs: Iterable[Job]) -> Counter[str]:
    return Counter(str(job.status) for job in jobs)


def answer(store: JobStore, job_id: str) -> Any:
    """A job's result as a client sees it in JSON."""
    return result_json(store.result(job_id))


def is_clean(client: redis.Redis, model: str) -> bool:
    """Whether nothing of the model's jobs is left but records and results of those that have ended."""
    return not leftovers(client, model)


def leftovers(client: redis.Redis, model: str) -> dict[str, Any]:
    """What is left in the lists, claims and indexes of a model.

    Read in the order in which a message moves on, so that one that moves meanwhile is not missed.
    """
    names = [queue_list(queue_of(model), priority) for priority in PRIORITY_STEPS]
    found: dict[str, Any] = {name: client.llen(name) for name in names}
    found |= {key.decode(): client.llen(key) for key in client.scan_iter(keys.PREFIX + "held:*")}
    found |= {name: client.hlen(name) for name in ("unacked", keys.OWNERS)}
    indexes = ("unacked_index", keys.LEASES, keys.unfinished(model), keys.running(model), keys.DEADLINES)
    found |= {name: client.zcard(name) for name in indexes}
    return {name: count for name, count in found.items() if count}


class Heard:
    """The events of tasks that a listener on kombu's own transport has received."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def count(self, kind: str, ids: Sequence[str] | None = None) -> int:
        """How many events of a kind, such as "task-received", of these jobs."""
        wanted = None if ids is None else set(ids)
        return sum(one["type"] == kind and (wanted is None or one["uuid"] in wanted) for one in list(self.events))

    def kinds(self, job_id: str) -> list[str]:
        """What was said of a job, in order, without `task-sent`."""
        said = [one["type"] for one in list(self.events) if one.get("uuid") == job_id]
        return [kind.removeprefix("task-") for kind in said if kind != "task-sent"]


class _Listener(EventReceiver):
    """Celery's own listener, which says when it listens."""

    def __init__(self, listens: Event, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._listens = listens

    def on_consume_ready(self, *args: Any, **kwargs: Any) -> None:
        self._listens.set()


@contextmanager
def listening(url: str) -> Iterator[Heard]:
    """Listen as Flower does, until the end of the block."""
    heard, listens = Heard(), Event()
    with stock_app(url) as app, app.connection_for_read() as connection:
        listener = _Listener(listens, connection, handlers={"*": heard.events.append}, app=app)
        thread = Thread(target=lambda: listener.capture(wakeup=False))
        thread.start()
        assert listens.wait(10)
        try:
            yield heard
        finally:
            listener.should_stop = True
            thread.join(10)


def has_claim(client: redis.Redis, job_id: str) -> bool:
    """Whether a worker holds a message of the job."""
    return any(job_id.encode() in entry for entry in client.hvals("unacked"))
