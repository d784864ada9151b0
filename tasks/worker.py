"""A worker's life: it loads the one model whose queue it was started with, warms it up, and says ready. Or it ends.

Celery swallows exceptions raised in signal handlers (`celery/utils/dispatch/signal.py`, read in 5.7.0), so whatever
fails before ready ends in SystemExit with a sentence. `worker_init` is sent before pool and consumer exist, with the
queues of `-Q` in `sender.app.amqp.queues.consume_from` (`celery/worker/worker.py`, 5.7.0).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import redis
from celery import signals
from celery.concurrency import get_implementation
from kombu.connection import failover_strategies

from model_store.errors import ModelNotFound, ModelStoreError
from model_store.rows.batching import MOST_ROWS
from model_store.store import find_models
from tasks.batching.line import Bench
from tasks.broker import connect
from tasks.broker_memory import refuse_eviction
from tasks.errors import BrokerUnavailable, TasksError
from tasks.heartbeat import Heartbeat
from tasks.message import TASK_NAME
from tasks.model_registry import ModelRegistry
from tasks.pool import Pool
from tasks.queues import CALLBACK_QUEUE, KEEPER_QUEUE, model_of
from tasks.settings import Settings, read_settings
from tasks.transport.failover import STAY, stay
from tasks.versions import report
from tasks.versions.departures import Departures
from tasks.versions.loads import Loads
from tasks.versions.peers import rely_on
from tasks.versions.rollout import Rollout, Surroundings
from tasks.versions.shelf import Shelf
from tasks.versions.trial import Trial
from tasks.versions.watcher import Watcher

if TYPE_CHECKING:
    from tasks.loading import Opener

#: TensorFlow's native log: errors only. Its greetings on each start tell an operator nothing.
_TENSORFLOW_LOG_LEVEL = "2"


#: Most messages that a worker may hold beside those in the model, in batches: two of bulk jobs and two of interactive
#: ones, and those being stored; and some messages more. How many it really claims is decided by
#: `tasks.batching.batcher`, in rows; this is Celery's limit, and shows in `inspect stats`.
PREFETCH_BATCHES = 6
MOST_WAITING = 8


class CannotServe(TasksError):
    """The worker was started in a way that it cannot serve; the sentence says how to start it."""


@signals.celeryd_init.connect
def claim_messages(conf: Any, **_: Any) -> None:
    """Have this process claim its messages, as a worker; sent before it has a connection."""
    name = "SentinelTransport" if conf.broker_url.startswith("sentinel:") else "Transport"
    conf.broker_transport = f"tasks.transport.transport:{name}"
    failover_strategies[STAY] = stay
    # By name: `celery inspect stats` tells of it in JSON.
    conf.broker_failover_strategy = STAY


@signals.worker_init.connect
def prepare(sender: Any, **_: Any) -> None:
    """Load and warm up the model of the queue that the worker was started with, or end the process."""
    settings = read_settings()
    client = connect(sender.app.conf.broker_url, settings.sentinel_master)
    registry = ModelRegistry(client)
    name = None
    try:
        refuse_eviction(client)
        name = served_model(sender.app.amqp.queues.consume_from, settings)
        if name is None:
            return
        _check_pool(sender.pool_cls)
        opener = _opener(settings)
        trial = Trial(name)
        rollout = _rollout(name, opener, trial, client, registry, sender.hostname, settings)
        rollout.start()
    except ModelNotFound as error:
        # A name that the store has never heard of is a slip of whoever started the worker, not a failed model.
        _give_in(registry, None, str(error))
    except (ModelStoreError, TasksError) as error:
        _give_in(registry, name, str(error))
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        _give_in(registry, name, f"The model {name} could not be loaded: {type(error).__name__}: {error}")
    sender.app.tasks[TASK_NAME].bench = Bench(name, rollout, client, sender.hostname, settings)
    batches = PREFETCH_BATCHES + settings.parallel_batches
    # A version that comes later may take as many rows as any.
    sender.prefetch_multiplier = batches * max(rollout.serving.max_rows, MOST_ROWS) + MOST_WAITING

    def tell() -> report.Report:
        return report.of(rollout, sender.hostname, os.getpid(), opener.device)

    heartbeat = Heartbeat(registry, tell)
    _follow_life(heartbeat, Watcher(rollout, trial, settings.version_poll_s, heartbeat.beat_now))


def served_model(queues: Iterable[str], settings: Settings) -> str | None:
    """The model whose queue is the worker's only one; None for the keeper and the callbacks', who serve no model.

    Raises:
        CannotServe: no queue of a model, or several queues.
    """
    names = sorted(queues)
    if names in ([KEEPER_QUEUE], [CALLBACK_QUEUE]):
        return None
    model = model_of(names[0]) if len(names) == 1 else None
    if model is None:
        known = ", ".join(find_models(settings.model_store)) or "none"
        raise CannotServe(
            f"A worker serves one model: start it with -Q model.NAME, not with the queues {', '.join(names)}. "
            f"Models in {settings.model_store}: {known}."
        )
    return model


def _opener(settings: Settings) -> Opener:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", _TENSORFLOW_LOG_LEVEL)
    # Imported here and not above: it brings TensorFlow, which Flower and the keeper must not load.
    from tasks.loading import Opener

    return Opener(settings)


def _rollout(
    name: str,
    opener: Opener,
    trial: Trial,
    client: redis.Redis,
    registry: ModelRegistry,
    worker: str,
    settings: Settings,
) -> Rollout:
    def is_needed(number: int) -> bool:
        return rely_on(registry.get(name).workers, number, rollout.serving.numbers)

    departures = Departures(lambda: registry.queue_state(name).oldest_age_s, is_needed, opener.collect)
    around = Surroundings(opener, trial, Loads(client, name, worker), departures)
    rollout = Rollout(name, Shelf(settings.model_store, name), around)
    return rollout


def _check_pool(pool: Any) -> None:
    if get_implementation(pool) is not Pool:
        raise CannotServe("Workers run in one process: leave -P away. TensorFlow hangs in Celery's other pools.")


def _give_in(registry: ModelRegistry, name: str | None, sentence: str) -> NoReturn:
    if name is not None:
        with suppress(BrokerUnavailable):
            registry.publish_failure(name, sentence)
    raise SystemExit(sentence)


def _follow_life(heartbeat: Heartbeat, watcher: Watcher) -> None:
    """Beat, and watch for versions, from the moment the consumer is ready to the end of the worker."""

    def ready(**_: Any) -> None:
        heartbeat.start()
        watcher.start()

    def ended(**_: Any) -> None:
        watcher.stop()
        heartbeat.stop()

    signals.worker_ready.connect(ready, weak=False)
    signals.worker_shutdown.connect(ended, weak=False)
