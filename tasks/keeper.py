"""The keeper's periodic work; its worker needs no model: `celery -A tasks.app worker -Q keeper -B`."""

from __future__ import annotations

import logging
import signal
from contextlib import closing, suppress
from typing import Any

from celery import current_app, shared_task
from celery.signals import beat_embedded_init
from redis.exceptions import LockNotOwnedError

from tasks import keys
from tasks.broker import broker_errors, connect
from tasks.errors import BrokerUnavailable
from tasks.job_store import JobStore
from tasks.quarantine import Quarantine
from tasks.settings import Settings, read_settings
from tasks.supervisor.leash import end_with_parent
from tasks.sweeper import republish_lost

logger = logging.getLogger(__name__)

#: Longer than a sweep takes; a keeper that dies in one holds the others up no longer than this.
LOCK_S = 30


# Without events: one every few seconds would push people's jobs out of Flower's memory.
@shared_task(name="keeper.sweep", ignore_result=True, send_events=False)
def sweep() -> None:
    """End overdue jobs, keep quarantine and listings in step, queue jobs again whose message is gone.

    One keeper at a time.
    """
    try:
        with broker_errors():
            _sweep(read_settings())
    except BrokerUnavailable as away:
        logger.warning("%s The next sweep goes on.", away)


def _sweep(settings: Settings) -> None:
    with closing(connect(current_app.conf.broker_url, settings.sentinel_master)) as client:
        lock = client.lock(keys.KEEPER_LOCK, timeout=LOCK_S, blocking=False)
        if not lock.acquire():
            return
        store = JobStore(client, settings.result_ttl_s)
        try:
            if expired := store.expire_overdue():
                logger.info("%d overdue jobs expired.", expired)
            Quarantine(client, store, settings.result_ttl_s).forget_older_than(settings.quarantine_ttl_s)
            store.listings.trim(settings.result_ttl_s)
            if lost := republish_lost(client, store):
                logger.warning("%d jobs whose message was gone are queued again.", lost)
        finally:
            with suppress(LockNotOwnedError):
                lock.release()


@beat_embedded_init.connect
def die_with_the_keeper(**_: Any) -> None:
    """Celery's beat is a forked child; it must not outlive a keeper that is killed."""
    end_with_parent(signal.SIGKILL)
