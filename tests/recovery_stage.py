"""What tests of faults break: a server, workers of one model that come and go, a keeper, and the API before them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import psutil
import redis

from tasks import keys
from tasks.broker import connect
from tasks.job import Job, Status
from tasks.job_store import JobStore
from tasks.queues import KEEPER_QUEUE, queue_of
from tests.batching_stage import willing
from tests.half_open_proxy import HalfOpenProxy, half_open_proxy
from tests.live_api import LiveApi
from tests.live_worker import ROOT, START_TIMEOUT_S, leftovers, submit
from tests.system import eventually
from tests.valkey import Valkey
from tests.worker_models import add_willing
from tests.worker_nursery import Nursery

MODEL = "willing"

#: The shortest that there is.
LEASE_S = 3


@dataclass(frozen=True)
class Worker:
    """A worker of the model; `name` is as records have it."""

    name: str
    pid: int
    log: Path

    def output(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def await_ready(self) -> Worker:
        eventually(self._is_ready, START_TIMEOUT_S)
        return self

    def _is_ready(self) -> bool:
        assert psutil.pid_exists(self.pid), self.output()
        return f"{self.name} ready." in self.output()

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def await_end(self, within_s: float = 20) -> None:
        eventually(lambda: not psutil.pid_exists(self.pid), within_s)


class Crew:
    """Starts workers of the model."""

    def __init__(self, folder: Path, url: str) -> None:
        add_willing(folder / "models", MODEL)
        self._folder = folder
        self._nursery = Nursery(
            REDIS_URL=url,
            CELERIAC_MODEL_STORE=str(folder / "models"),
            CELERIAC_LEASE_S=str(LEASE_S),
            # One batch at a time, so that a test can occupy a worker.
            CELERIAC_PARALLEL_BATCHES="1",
        )
        self._started: list[Worker] = []

    def start(self) -> Worker:
        """One more, which takes its second to be ready."""
        name = f"w{len(self._started)}"
        log = self._folder / name
        pid = self._nursery.start(queue_of(MODEL), f"{name}@tests", log)
        self._started.append(Worker(f"{name}@tests", pid, log))
        return self._started[-1]

    def close(self) -> None:
        for worker in self._started:
            with suppress(ProcessLookupError):
                worker.send(signal.SIGKILL)
        self._nursery.close()


@dataclass(frozen=True)
class Stage:
    """A server, what runs on it, and a connection of the test's own."""

    server: Valkey
    client: redis.Redis
    store: JobStore
    crew: Crew
    api: LiveApi
    workers: list[Worker]
    proxy: HalfOpenProxy | None

    def worker(self, name: str) -> Worker:
        return next(worker for worker in self.workers if worker.name == name)

    def occupy(self, wait_ms: int) -> Job:
        """Have a worker compute for so long; gives the record of its job, which says whose it is."""
        [job_id] = submit(self.store, [willing(1, wait_ms=wait_ms)])
        eventually(lambda: self.store.get(job_id).status is Status.RUNNING, 10)
        return self.store.get(job_id)

    def hang_server(self, for_s: float) -> None:
        """Have the server answer nothing for so long, on connections that stay open."""
        process = psutil.Process(self.client.info("server")["process_id"])
        process.suspend()
        try:
            Event().wait(for_s)
        finally:
            process.resume()

    def ends(self) -> int:
        """How many jobs have ended; each end counts."""
        return sum(map(int, self.client.hvals(keys.finished(MODEL))))

    def await_clean(self) -> None:
        """Wait until nothing is left of the model's jobs; else show what is."""
        with suppress(AssertionError):
            eventually(lambda: not leftovers(self.client, MODEL), 20)
        assert leftovers(self.client, MODEL) == {}


@contextmanager
def open_recovery_stage(
    folder: Path, workers: int = 2, is_proxied: bool = False, **api_settings: str
) -> Iterator[Stage]:
    """Start server, workers and API, and stop them in the end.

    Args:
        folder: for all their files.
        workers: how many.
        is_proxied: whether workers and API reach the server by a proxy that can forget connections.
        api_settings: of the API, by their names in the environment.
    """
    with ExitStack() as closing:
        (folder / "valkey").mkdir()
        server = Valkey(folder / "valkey")
        server.start()
        closing.callback(server.stop)
        client = closing.enter_context(connect(server.url))
        proxy = closing.enter_context(half_open_proxy(server.port)) if is_proxied else None
        url = f"redis://127.0.0.1:{proxy.port}/0" if proxy else server.url
        crew = Crew(folder, url)
        closing.callback(crew.close)
        started = [crew.start() for _ in range(workers)]
        api = LiveApi(folder, url, **api_settings)
        closing.callback(api.stop)
        api.start().await_ready()
        for worker in started:
            worker.await_ready()
        yield Stage(server, client, JobStore(client, 3600), crew, api, started, proxy)


@contextmanager
def keeper(folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The real one, with its beat."""
    command = [sys.executable, "-m", "celery", "-A", "tasks.app", "worker", "-Q", KEEPER_QUEUE, "-B"]
    with (folder / "keeper").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-n", "keeper@tests"],
            cwd=ROOT,
            env={**os.environ, "REDIS_URL": url},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def post(http: httpx.Client, number: float = 1, wait_ms: int = 0) -> httpx.Response:
    """Submit a job over HTTP whose answer is 2 * number + 1."""
    return http.post(f"/v1/models/{MODEL}/jobs", json={"inputs": inputs_json(number, wait_ms)})


def inputs_json(number: float, wait_ms: int = 0) -> dict[str, Any]:
    """Inputs of one row, as JSON has them."""
    return {"x": [[number]], "entry": [0], "wait_ms": [wait_ms], "numbers": [0]}


def finished(http: httpx.Client, job_id: str) -> dict[str, Any]:
    """The record of a job once it has ended."""
    record: dict[str, Any] = {}

    def has_ended() -> bool:
        nonlocal record
        record = http.get(f"/v1/jobs/{job_id}", params={"wait": 30}).json()
        return record.get("status") not in ("queued", "running")

    eventually(has_ended, 60)
    return record
