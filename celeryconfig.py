"""Celery's settings, each with its reason. Values that an operator may change come from `tasks.settings`."""

from __future__ import annotations

from tasks.broker_address import wait_for_broker_url
from tasks.queues import KEEPER_QUEUE
from tasks.redis_url import parse_redis_url
from tasks.settings import read_settings

_settings = read_settings()

_broker = parse_redis_url(wait_for_broker_url(_settings))

broker_url = _broker.for_celery()
broker_use_ssl = _broker.tls  # kombu has it from the URL; Flower reads it here only
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # a broker that is away for long comes back too
# Workers have a transport of their own, see tasks.worker; everybody else, Flower too, goes by the URL's scheme.
broker_channel_error_retry = True  # a server that cannot write for a moment is asked again
broker_transport_options = {
    # The jobs of a worker that is not heard of for this many seconds are given to another.
    "lease_s": _settings.lease_s,
    # Three of these after a renewal that was due fit into a lease: what a worker needs to notice that the network
    # forgot its connections, to leave them, and to renew by new ones.
    "socket_timeout": min(max(_settings.lease_s / 5, 1), 3),
    "socket_keepalive": True,
    "health_check_interval": 25,
    # Of keys and channels; tasks.keys puts the same before ours.
    "global_keyprefix": _settings.key_prefix,
    # For sentinel:// only.
    "master_name": _settings.sentinel_master,
}

# AsyncResult reads the job record; nothing is stored twice.
result_backend = "tasks.result_backend:JobRecordBackend"

# Never pickle.
accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
event_serializer = "orjson"  # JSON too, see tasks.app

# One process, one model: TensorFlow hangs in a process forked after it was loaded.
worker_pool = "tasks.pool:Pool"
worker_concurrency = 1
worker_prefetch_multiplier = 1  # workers of models set their own
worker_enable_prefetch_count_reduction = False  # claims outlive a connection, and are counted over all of them
task_acks_late = True  # a worker that is killed loses nothing
# A job still running when the connection breaks is finished: its result is fenced by the delivery anyway.
worker_cancel_long_running_tasks_on_connection_loss = False

worker_send_task_events = bool(_settings.task_events)  # for Flower; that a job is queued, the API tells it

imports = (
    *("tasks.predict", "tasks.keeper", "tasks.worker", "tasks.hurry"),
    *("tasks.callbacks.attempt_task", "tasks.callbacks.hand_out_task"),
)
task_create_missing_queues = True
enable_utc = True

# The keeper's periodic work. The schedule lives in memory: Celery's file of it is a pickle.
beat_scheduler = "celery.beat:Scheduler"
beat_schedule: dict[str, object] = {
    "sweep": {
        "task": "keeper.sweep",
        "schedule": 5.0,
        "options": {"queue": KEEPER_QUEUE, "expires": 5.0},
    },
}
if _settings.callback_secrets:
    beat_schedule["callbacks"] = {
        "task": "keeper.hand_out_callbacks",
        "schedule": 1.0,
        "options": {"queue": KEEPER_QUEUE, "expires": 1.0},
    }
