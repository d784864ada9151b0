"""A running Celeriac for tests: real broker, workers, keeper, API and Flower on free ports, over a store of models."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis

from model_store.store import find_models
from tasks.broker import connect
from tasks.broker_address import broker_url
from tasks.job_store import JobStore
from tasks.settings import Settings, read_settings
from tasks.supervisor.lineup import lineup
from tasks.supervisor.system import System
from tests.valkey import free_port

START_TIMEOUT_S = 240.0


@dataclass(frozen=True)
class Running:
    """What a test needs of a running system."""

    url: str
    flower_url: str
    settings: Settings
    given_up: Mapping[str, str]
    said: list[str]

    @property
    def broker_url(self) -> str:
        return broker_url(self.settings)

    def redis(self) -> redis.Redis:
        return connect(self.broker_url)

    def job_store(self) -> JobStore:
        return JobStore(self.redis(), self.settings.result_ttl_s)

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=70)

    def finished(self, job_id: str, within_s: float = 60) -> dict[str, Any]:
        """The record of a job once it has ended."""
        with self.http() as http:
            record: dict[str, Any] = http.get(f"/v1/jobs/{job_id}", params={"wait": min(within_s, 60)}).json()
        assert record["status"] not in ("queued", "running"), record
        return record

    def answer(self, model: str, **request: Any) -> dict[str, Any]:
        """Submit a job and wait for its end."""
        with self.http() as http:
            submitted = http.post(f"/v1/models/{model}/jobs", **request)
            assert submitted.status_code == 202, submitted.text
        return self.finished(submitted.json()["id"])


@contextmanager
def running(store: Path, var: Path, **settings: str) -> Iterator[Running]:
    """Start a system over a store, yield it when every service is ready or given up, stop it."""
    ours = {
        "CELERIAC_MODEL_STORE": str(store),
        "CELERIAC_VAR": str(var),
        "PORT": str(free_port()),
        "CELERIAC_FLOWER_PORT": str(free_port()),
        # All models are in memory, whatever the machine has.
        "CELERIAC_MEMORY_LIMIT_MB": "1000000",
        **settings,
    }
    before = dict(os.environ)
    os.environ.update(ours)
    try:
        read = read_settings()
        said: list[str] = []
        with System(read, lineup(read, find_models(store)), said.append) as system:
            given_up = system.wait_until_ready(START_TIMEOUT_S)
            url = f"http://127.0.0.1:{read.port}"
            yield Running(url, f"http://127.0.0.1:{read.flower_port}", read, given_up, said)
    finally:
        os.environ.clear()
        os.environ.update(before)


def eventually(condition: Callable[[], Any], within_s: float = 30) -> Any:
    """Await a condition: its first true value; the last one fails the test by name."""
    deadline_s = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline_s, f"not within {within_s} s: {condition.__name__}, last {value!r}"
        time.sleep(0.05)
    return value
