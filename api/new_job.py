"""What a checked input becomes: a job for a version of the model, stored or refused."""

from __future__ import annotations

from api.auth import owner
from api.drain import retry_after_s
from api.errors import QueueIsFull, VersionNotFound
from api.model_versions import Choice
from api.parameters import Parameters
from api.services import services
from api.validation import Input
from tasks.errors import QueueFull
from tasks.job import Job


def choose_version(model: str, version: str | None, job_id: str) -> Choice:
    """The version that a job gets.

    Args:
        model: its name.
        version: the number or label that was asked for, if any.
        job_id: by which it is drawn where versions share the jobs.

    Raises:
        ModelUnknown, ModelNotReady, VersionNotFound: there is none.
    """
    cards = services().cards
    try:
        return cards.get(model).choose(version, job_id)
    except VersionNotFound:
        # It may be served since the cards were read, and its client may know that.
        return cards.get(model, keep_s=0.0).choose(version, job_id)


def make_job(job_id: str, choice: Choice, is_pinned: bool, parameters: Parameters, checked: Input) -> Job:
    """The current request's job, of a checked input."""
    return Job(
        id=job_id,
        model=choice.card.name,
        version=choice.card.version,
        pinned=is_pinned,
        label=choice.label,
        owner=owner(),
        content_type=checked.content_type,
        rows=checked.rows,
        **vars(parameters.with_deadline(services().settings.max_queue_age_s)),
    )


def queue_is_full(error: QueueFull, model: str) -> QueueIsFull:
    """What a client is told of a full queue: also when to come again."""
    hint = " The model is paused." if services().pauses.is_paused(model) else ""
    return QueueIsFull(f"{error}{hint}", retry_after_s(error.queued, services().rates.rate(model)))
