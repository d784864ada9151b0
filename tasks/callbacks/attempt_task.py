"""The Celery task `callbacks.attempt`, for the light worker of the callbacks' queue: threads, and no TensorFlow.

`celery -A tasks.app worker -Q callbacks -P threads -c 32`. Its arguments are a job's id and a number, never a URL.
"""

from __future__ import annotations

from functools import cached_property

from celery import Task, current_app, shared_task

from tasks.broker import connect
from tasks.callbacks.post import Poster
from tasks.callbacks.schedule import Schedule
from tasks.callbacks.sender import Sender
from tasks.callbacks.shares import Shares
from tasks.callbacks.store import CallbackStore
from tasks.settings import read_settings

TASK_NAME = "callbacks.attempt"

#: The part of a worker's threads that attempts to one host may take.
SHARE_OF_A_HOST = 4


class AttemptTask(Task):  # type: ignore[type-arg]
    """The task with what its process needs for it."""

    @cached_property
    def sender(self) -> Sender:
        """Made with the first message, for all threads."""
        settings = read_settings()
        client = connect(current_app.conf.broker_url, settings.sentinel_master)
        return Sender(
            CallbackStore(client),
            Poster(settings.callback_allow, settings.callback_timeout_s),
            Schedule(settings.callback_attempts, settings.callback_retry_s),
            settings.callback_secrets,
            Shares(max(settings.callback_threads // SHARE_OF_A_HOST, 1)),
            settings.callback_timeout_s,
        )


@shared_task(bind=True, base=AttemptTask, name=TASK_NAME, ignore_result=True)
def attempt(self: AttemptTask, job_id: str, number: int) -> None:
    """Make the attempt that follows `number` others of a job's callback.

    Raises:
        BrokerUnavailable: Redis is away; the callback is due again when the lease of its attempt is over.
    """
    self.sender.attempt(job_id, number)
