"""Which services make up the system, for given settings and models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from model_store.store import MODEL_NAME, find_models
from tasks.queues import CALLBACK_QUEUE, KEEPER_QUEUE, queue_of
from tasks.settings import Settings
from tasks.supervisor.readiness import Alive, BrokerAnswers, HttpAnswers, ModelIsLive
from tasks.supervisor.service import Role, Service

API_GRACE_S = 10
KEEPER_GRACE_S = 10
#: What is not over then is tried again.
CALLBACKS_GRACE_S = 10
FLOWER_GRACE_S = 5
BROKER_GRACE_S = 10

#: Keeper and callbacks answer nobody. One that cannot start ends long before this.
SETTLES_S = 5.0

#: Addresses that mean all of a machine's; asked from within, it is loopback that answers.
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def servable(store: Path, say: Callable[[str], None]) -> list[str]:
    """The models of the store, broken ones included; `say` is told of folders whose name cannot be a model's.

    Raises:
        LoadError: the store cannot be read.
    """
    found = find_models(store)
    for name in found:
        if not MODEL_NAME.fullmatch(name):
            say(f"{store / name} is left out: its name cannot be a model's. Use lower-case letters, digits, . _ and -.")
    return [name for name in found if MODEL_NAME.fullmatch(name)]


def lineup(settings: Settings, models: Sequence[str]) -> list[Service]:
    """All services, in the order in which they start."""
    broker = [] if settings.redis_url else [_broker()]
    workers = [_worker(model, settings.stop_grace_s, turn) for turn, model in enumerate(models)]
    # Without a secret there are no callbacks.
    callbacks = [_callbacks(settings)] if settings.callback_secrets else []
    return [*broker, *workers, _keeper(), *callbacks, _api(settings), _flower(settings)]


def _broker() -> Service:
    return Service("broker", Role.BROKER, _module("tasks.embedded_broker"), BROKER_GRACE_S, BrokerAnswers())


def _worker(model: str, grace_s: int, turn: int) -> Service:
    return Service(
        name=f"worker-{model}",
        role=Role.WORKER,
        argv=_worker_argv("-Q", queue_of(model), "-n", f"{model}@%h"),
        stop_grace_s=grace_s,
        readiness=ModelIsLive(model),
        model=model,
        # How many GPUs there are is known to TensorFlow alone, which only workers load.
        environment={"CELERIAC_GPU_TURN": str(turn)},
    )


def _keeper() -> Service:
    argv = _worker_argv("-Q", KEEPER_QUEUE, "-n", "keeper@%h", "-B")
    return Service("keeper", Role.KEEPER, argv, KEEPER_GRACE_S, Alive(SETTLES_S))


def _callbacks(settings: Settings) -> Service:
    threads = ("-P", "threads", "-c", str(settings.callback_threads))
    argv = _worker_argv("-Q", CALLBACK_QUEUE, "-n", "callbacks@%h", *threads)
    return Service("callbacks", Role.CALLBACKS, argv, CALLBACKS_GRACE_S, Alive(SETTLES_S))


def _api(settings: Settings) -> Service:
    readiness = HttpAnswers(_reachable(settings.host), settings.port, "/healthz")
    return Service("api", Role.API, _module("api"), API_GRACE_S, readiness)


def _flower(settings: Settings) -> Service:
    readiness = HttpAnswers(_reachable(settings.flower_host), settings.flower_port, "/healthcheck")
    return Service("flower", Role.FLOWER, _module("tasks.flower_server"), FLOWER_GRACE_S, readiness)


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)


def _worker_argv(*options: str) -> tuple[str, ...]:
    # Workers have nothing to tell each other, and asking around (mingle) makes each start a second longer.
    silent = ("--without-gossip", "--without-mingle", "--loglevel", "INFO")
    return (*_module("celery"), "-A", "tasks.app", "worker", *options, *silent)


def _reachable(host: str) -> str:
    return _ANY_ADDRESS.get(host, host)
