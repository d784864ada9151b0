"""Telling Celery, and so Flower and `inspect`, what becomes of a request. On the event loop only.

It is what Celery's own pools bring about through `Request.on_accepted` and its siblings; here for jobs in batches.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from time import monotonic
from typing import Any

from billiard.einfo import ExceptionInfo
from celery.worker import state

from tasks.errors import JobFailed
from tasks.transport.channel import Channel


def started(requests: Iterable[Any]) -> None:
    """The model runs them now."""
    pid, now_s = os.getpid(), monotonic()
    for request in requests:
        request.on_accepted(pid, now_s)


def retried(request: Any) -> None:
    """It has begun before; the worker that ran it is gone."""
    request.send_event("task-retried", exception="Its worker ended while it ran.", traceback="")


def succeeded(request: Any, runtime_s: float) -> None:
    """It has ended well. Its result stays out of events."""
    request.on_success((False, None, runtime_s))


def failed(request: Any, failure_type: str) -> None:
    """It has ended badly; of the reason only the type goes into events and logs."""
    if request not in state.active_requests:
        # To Celery, looking at a task's arguments is part of running it: each that fails has started.
        started([request])
    try:
        raise JobFailed(failure_type)
    except JobFailed:
        request.on_success((True, ExceptionInfo(), 0.0))


def revoked(request: Any, expired: bool) -> None:
    """It has ended without having run, or its answer was thrown away."""
    state.task_ready(request)
    # Celery itself tells of a running one that `revoke(terminate=True)` has ended.
    if not request._already_revoked:
        request.send_event("task-revoked", terminated=False, signum=None, expired=expired)
    request.acknowledge()


def dropped(request: Any) -> None:
    """Nothing is to be said of it; its message, if it is still this worker's, is done with."""
    state.task_ready(request)
    request.acknowledge()


def paused(request: Any, tag: str) -> None:
    """It was not run, since its model is paused; its message goes back to where it was."""
    Channel.claims.give_back(tag)
    state.task_ready(request)


def given_back(request: Any) -> None:
    """It was not run and is to run later, here or elsewhere."""
    state.task_ready(request)
    request.reject(requeue=True)
