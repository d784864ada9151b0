"""Who is under the storm: the commands of broker, keeper, API and workers, and when they are ready."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestant import ROOT
from benchmarks.ports import free_port
from benchmarks.storm.schedule import API, BROKER, KEEPER, MODELS, WORKERS, WORKERS_PER_MODEL
from tasks.broker import connect
from tasks.embedded_broker import prepare, server_binary
from tasks.errors import BrokerUnavailable
from tasks.model_registry import ModelRegistry

LEASE_S = 3

#: Of the broker: with one, memory is looked at before a job is taken. Ten minutes need a tenth of it.
_BROKER_MEMORY_BYTES = 2**30

#: The variable by which a process is known to be the storm's, whoever started it and whoever adopted it.
MARK = "CELERIAC_VAR"


@dataclass(frozen=True)
class Lineup:
    """A system's processes.

    Attributes:
        folder: data and logs; it is there.
        url: the broker's.
        port: the API's; 0 where there is none.
        commands: by name; the broker's is the first.
        environment: of all.
        is_ready: whether all workers serve.
    """

    folder: Path
    url: str
    port: int
    commands: Mapping[str, list[str]]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool]

    @property
    def mark(self) -> str:
        """What `MARK` is set to for all of them."""
        return self.environment[MARK]


def celeriac(folder: Path, store: Path, result_ttl_s: int) -> Lineup:
    """Celeriac as `celeriac up` starts it, with short leases and two workers for each model.

    Args:
        folder: data and logs; made here.
        store: the models.
        result_ttl_s: how long ended jobs are kept.
    """
    url, broker = broker_of(folder)
    port = free_port()
    environment = {
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "REDIS_URL": url,
        "PORT": str(port),
        "CELERIAC_MODEL_STORE": str(store),
        MARK: str(folder / "var"),
        "CELERIAC_LEASE_S": str(LEASE_S),
        "CELERIAC_RESULT_TTL_S": str(result_ttl_s),
    }
    commands = {
        BROKER: broker,
        KEEPER: _celery("keeper", "keeper", "-B"),
        API: [sys.executable, "-m", "api"],
        **{name: _celery(f"model.{name.split('-')[1]}", name) for name in WORKERS},
    }
    registry = ModelRegistry(connect(url))

    def is_ready() -> bool:
        with contextlib.suppress(BrokerUnavailable):
            return sum(len(one.workers) >= WORKERS_PER_MODEL for one in registry.all()) == len(MODELS)
        return False

    return Lineup(folder, url, port, commands, environment, is_ready)


def broker_of(folder: Path) -> tuple[str, list[str]]:
    """Make the folder of a broker like the embedded one; gives its URL and its command."""
    (folder / "broker").mkdir(parents=True)
    configuration = prepare(folder / "broker", _BROKER_MEMORY_BYTES)
    url = (folder / "broker" / "url").read_text().strip()
    return url, [str(server_binary()), str(configuration)]


def _celery(queue: str, name: str, *more: str) -> list[str]:
    command = [sys.executable, "-m", "celery", "-A", "tasks.app", "worker", "-Q", queue, "-n", f"{name}@storm"]
    return [*command, "--without-gossip", "--without-mingle", "--loglevel", "INFO", *more]
