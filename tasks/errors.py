"""What can go wrong in the queue; one base, one sentence each."""

from __future__ import annotations

_ENDED = {"succeeded": "succeeded", "failed": "failed", "cancelled": "been cancelled", "expired": "expired"}


class TasksError(Exception):
    """Something in the queue did not work."""


class SettingsError(TasksError):
    """A setting in the environment has a value that cannot be used."""


class BrokerAddressUnknown(TasksError):
    """REDIS_URL is not set and no embedded server has written its address."""


class BrokerUnavailable(TasksError):
    """The broker does not answer, or takes no writes now; ask again later."""


class QueueFull(TasksError):
    """A model has as many queued jobs, or as many bytes of input, as it may have.

    Attributes:
        queued: How many jobs wait.
    """

    def __init__(self, message: str, queued: int) -> None:
        super().__init__(message)
        self.queued = queued


class MemoryFull(TasksError):
    """The broker has used up as much of its memory as jobs may take; ask again later."""


class EvictionPossible(TasksError):
    """The broker may throw away what is stored when its memory is full."""


class IdempotencyKeyReused(TasksError):
    """Another request came with the same idempotency key before."""


class JobNotFound(TasksError):
    """No job with this id was ever submitted here."""


class JobGone(TasksError):
    """The job has ended and its record's lifetime is over."""


class NotQuarantined(TasksError):
    """The job is not in the quarantine."""


class JobFinished(TasksError):
    """The job has already ended; nothing about it changes any more.

    Attributes:
        status: How it ended.
    """

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(f"Job {job_id} has {_ENDED[status]} already.")
        self.status = status


class JobUnfinished(TasksError):
    """The job has not ended yet, so it has no result."""


class JobFailed(TasksError):
    """The job failed. In events and logs it carries the failure's type alone, never the sentence."""


class ModelUnknown(TasksError):
    """No worker has ever served a model of this name."""
