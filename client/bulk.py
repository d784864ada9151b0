"""Many jobs in one request: what became of each part of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from client import call, reply
from client.errors import ApiError, UnexpectedReply, status_of
from client.job_options import JobOptions
from client.payload import Payload
from client.procedures import Procedures
from client.record import JobRecord
from client.retry import Streak
from client.steps import Steps


@dataclass(frozen=True)
class Item:
    """One job of a bulk submission, or why there is none.

    Attributes:
        index: Its first row in what was submitted, from 0.
        rows: How many rows it has.
        record: The job's record; None when it was refused.
        error: Why it was refused; None when it was accepted.
    """

    index: int
    rows: int
    record: JobRecord | None
    error: ApiError | None


def submitting_many(
    procedures: Procedures,
    model: str,
    payload: Payload,
    options: JobOptions,
    rows_per_job: int,
    version: int | str | None = None,
    idempotency_key: str | None = None,
) -> Steps[list[Item]]:
    """Submit many jobs; again while some are refused for now, which finds those that were accepted.

    The patience begins again with each job more that is accepted.

    Raises:
        ClientError: Nothing of the request was taken.
    """
    key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
    asked = call.bulk_call(model, payload, options, rows_per_job, version, key)
    accepted = 0
    streak = Streak(procedures.patience, procedures.on_trouble)
    while True:
        answered = yield from procedures.ask(asked)
        items = read_items(reply.json_object(answered, procedures.url), reply.retry_after_s(answered), model)
        passing = next((item.error for item in items if item.error and item.error.is_temporary), None)
        if passing is None:
            return items
        before, accepted = accepted, sum(item.record is not None for item in items)
        if accepted > before:
            streak = Streak(procedures.patience, procedures.on_trouble)
        try:
            pause = streak.next_pause(passing)
        except ApiError:
            return items
        yield pause


def read_items(body: Any, retry_after_s: float | None, model: str) -> list[Item]:
    """The items of an answer to a bulk submission.

    Raises:
        UnexpectedReply: It is none.
    """
    entries = body.get("jobs")
    if not isinstance(entries, Sequence):
        raise UnexpectedReply("Expected a list of jobs; the answer has none. Is this a Celeriac?")
    return [_item({"model": model, **entry}, retry_after_s) for entry in entries]


def _item(entry: dict[str, Any], retry_after_s: float | None) -> Item:
    index, rows = int(entry.get("index", 0)), int(entry.get("rows", 1))
    error = entry.get("error")
    if error is None:
        return Item(index, rows, JobRecord.from_json(entry), None)
    status = status_of(str(error.get("type", "")))
    return Item(index, rows, None, reply.error_of(error, status, retry_after_s))
