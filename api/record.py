"""What answers about jobs say beside the record itself (`tasks.record_json`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.drain import start_in_s
from tasks.job import Job, Status
from tasks.record_json import record_with_result


def record_in_queue(job: Job, parts: Mapping[str, bytes], is_paused: bool) -> dict[str, Any]:
    """The record with its result, and whether the job waits for its model to be resumed.

    Args:
        job: as it is now.
        parts: of its result.
        is_paused: whether its model is paused.
    """
    return record_with_result(job, parts) | {"paused": job.status is Status.QUEUED and is_paused}


def queue_json(job: Job, in_front: int, rate: float | None) -> dict[str, Any]:
    """Where a job stands in its queue, for the answer to its submission; null once it waits no more.

    Args:
        job: as it is now.
        in_front: how many jobs waited in front of it when it came.
        rate: of `api.drain.drain_rate`.
    """
    waits = job.status is Status.QUEUED
    return {
        "queue_position": in_front if waits else None,
        "estimated_start_s": start_in_s(in_front, rate) if waits else None,
    }


def poll_headers(job: Job) -> Mapping[str, str]:
    """When to ask again, for a job that has not ended."""
    return {} if job.is_finished else {"Retry-After": "1"}
