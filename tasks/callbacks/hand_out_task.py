"""The keeper's part in callbacks: those that are due become messages for their worker."""

from __future__ import annotations

import logging
from contextlib import closing

from celery import current_app, shared_task
from kombu.exceptions import OperationalError

from tasks.broker import connect
from tasks.callbacks.attempt_task import TASK_NAME
from tasks.callbacks.store import CallbackStore
from tasks.errors import BrokerUnavailable
from tasks.queues import CALLBACK_QUEUE
from tasks.settings import read_settings

logger = logging.getLogger(__name__)


# Without events: one every second would push people's jobs out of Flower's memory.
@shared_task(name="keeper.hand_out_callbacks", ignore_result=True, send_events=False)
def hand_out_callbacks() -> None:
    """Send a message for each callback that is due. One whose message is not sent is due again after a while."""
    settings = read_settings()
    try:
        with closing(connect(current_app.conf.broker_url, settings.sentinel_master)) as client:
            for handed in CallbackStore(client).hand_out():
                current_app.send_task(TASK_NAME, handed, queue=CALLBACK_QUEUE, ignore_result=True)
    except (BrokerUnavailable, OperationalError) as away:
        logger.warning("Callbacks were not handed out: %s", away)
