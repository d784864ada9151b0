"""The keeper's periodic work; its worker needs no model: `celery -A tasks.app worker -Q keeper -B`."""

from __future__ import annotations

import logging
import signal
from typing import Any

from celery import current_app, shared_task
from celery.signals import beat_embedded_init

from tasks import keys
from tasks.broker import connect
from tasks.job_store import JobStore
from tasks.settings import read_settings
from tasks.supervisor.leash import end_with_parent

logger = logging.getLogger(__name__)

#: Longer than a sweep takes; a keeper that dies in one holds the others up no longer than this.
LOCK_S = 30


@shared_task(name="keeper.expire_overdue", ignore_result=True)
def expire_overdue() -> None:
    """End queued jobs whose deadline has passed, so that who waits for one need not wait for a worker."""
    client = connect(current_app.conf.broker_url)
    lock = client.lock(keys.KEEPER_LOCK, timeout=LOCK_S, blocking=False)
    if not lock.acquire():
        return
    try:
        expired = JobStore(client, read_settings().result_ttl_s).expire_overdue()
        if expired:
            logger.info("%d overdue jobs expired.", expired)
    finally:
        lock.release()
        client.close()


@beat_embedded_init.connect
def die_with_the_keeper(**_: Any) -> None:
    """Celery's beat is a forked child; it must not outlive a keeper that is killed."""
    end_with_parent(signal.SIGKILL)
