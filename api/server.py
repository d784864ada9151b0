"""Serving the application with granian: processes beside this one, with a thread for each request in hand.

What granian 2.8 was seen to do, and what is done about it:

- It binds with SO_REUSEPORT, so a second server on a port goes unnoticed: `api.startup` asks before.
- Its `backpressure` counts connections, idle ones too: it is set far above the threads, and requests queue for those.
- Its processes outlive this one when this one is killed: `api.stopping` ends them.
- Stopped, it takes no new connection and lets requests in hand end, however long they wait: `api.stopping` hurries
  those that wait.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server

from api.app import create_app
from api.services import services_of
from api.stopping import close_at_stop, stop_with_parent
from tasks.broker import connect
from tasks.caps import caps_of
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.settings import Settings

#: Beyond this many connections new ones wait in the listening socket's backlog; idle ones are closed after 30 s.
#: Fits under the usual limit of 1,024 open files, together with the connections to Redis.
MAX_CONNECTIONS = 768

#: Long polls end at once; what still runs after this many seconds is cut off.
STOP_GRACE_S = 8

#: Lines for people, to stderr, without anything that a client sent. There is no access log.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"_granian": {}, "granian.access": {"propagate": False}},
}


def serve(settings: Settings, address: str, redis_url: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: give port, processes and threads.
        address: the IP address to listen on.
        redis_url: the broker and job store.

    Raises:
        SystemExit: a serving process ended by itself.
    """
    server = Server(
        "celeriac",
        address=address,
        port=settings.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=settings.api_processes,
        blocking_threads=settings.api_threads,
        backpressure=MAX_CONNECTIONS,
        workers_kill_timeout=STOP_GRACE_S,
        log_dictconfig=LOGGING,
        # Its warning is about the number of threads: most of ours wait for jobs.
        log_level=LogLevels.error,
    )
    # Handed to a new process, so it has to be what pickle knows, where processes are not forked.
    server.serve(target_loader=partial(_start, settings, redis_url), wrap_loader=False)


def _start(settings: Settings, redis_url: str) -> Flask:
    """The application, in the serving process."""
    client = connect(redis_url, settings.sentinel_master)
    store = JobStore(client, settings.result_ttl_s, caps_of(settings))
    app = create_app(settings, store, ModelRegistry(client))
    services_of(app).rates.start()
    stop_with_parent()
    close_at_stop(services_of(app).waiters)
    return app
