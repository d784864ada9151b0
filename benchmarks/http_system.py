"""A contestant that serves HTTP: its worker and its server, and one load of them, measured."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.contestant import Contestant, Way, WorkerSetting
from benchmarks.errors import BenchmarkError
from benchmarks.partner import Partner
from benchmarks.ports import free_port
from benchmarks.process import Process
from benchmarks.rig import Rig

START_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Served:
    """A contestant that serves HTTP: its processes and its port."""

    who: Contestant
    worker: Process
    web: Process
    port: int

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Load:
    """One load's figures: requests/s, latencies, and the CPU time for a request of each process, in µs."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    worker_us: float
    web_us: float
    broker_us: float
    client_us: float
    answers: int


@contextlib.contextmanager
def serving(rig: Rig, who: Contestant, model: str) -> Iterator[Served]:
    """Start worker and HTTP server, and wait until a first job comes back."""
    port = free_port()
    with rig.worker(who, WorkerSetting(model, events=who.is_ours)) as worker, rig.web(who, model, port) as web:
        served = Served(who, worker, web, port)
        with rig.load_generator() as client:
            _await_first_answer(rig, client, served, model)
        yield served


def run_load(rig: Rig, client: Partner, served: Served, way: Way, model: str, connections: int, total: int) -> Load:
    """Load one contestant and check its answers."""
    into = rig.folder / "answers.npy"
    processes = (served.worker, served.web, rig.broker.process)
    before_s = [one.cpu_s() for one in processes]
    figures = client.ask(
        "load",
        port=served.port,
        path=way.path.format(model=model),
        inputs=str(rig.inputs(model)),
        connections=connections,
        total=total,
        poll={"poll_s": way.poll_ms / 1000, "query": way.query},
        into=str(into),
    )
    worker_us, web_us, broker_us = (
        (one.cpu_s() - before) / total * 1e6 for one, before in zip(processes, before_s, strict=True)
    )
    answers = rig.check(served.who.title, model, into)
    return Load(
        total / figures["seconds"],
        figures["p50_ms"],
        figures["p99_ms"],
        worker_us,
        web_us,
        broker_us,
        figures["client_cpu_s"] / total * 1e6,
        answers,
    )


def _await_first_answer(rig: Rig, client: Partner, served: Served, model: str) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while (trouble := _try(rig, client, served, model)) is not None:
        served.worker.check()
        served.web.check()
        if time.monotonic() > deadline_s:
            raise BenchmarkError(f"{served.who.title} gives no answer over HTTP: {trouble}")
        time.sleep(0.2)


def _try(rig: Rig, client: Partner, served: Served, model: str) -> str | None:
    """Why there is no answer yet: nobody listens, or Celeriac's API does not know the model before its worker does."""
    try:
        run_load(rig, client, served, served.who.ways[0], model, 1, 1)
    except BenchmarkError as error:
        return str(error)
    return None
