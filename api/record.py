"""A job's record as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.drain import start_in_s
from tasks.iso_time import iso_time
from tasks.job import Job, Status
from tasks.result import result_json


def record_json(job: Job) -> dict[str, Any]:
    """A job's record without its result. Times are ISO 8601 in UTC with µs, null while there is none."""
    return {
        "id": job.id,
        "model": job.model,
        "version": job.version,
        "label": job.label or None,
        "status": str(job.status),
        "lane": str(job.lane),
        "tag": job.tag,
        "signature": job.signature or None,
        "rows": job.rows,
        "created_at": iso_time(job.created_at_us),
        "started_at": iso_time(job.started_at_us),
        "finished_at": iso_time(job.finished_at_us),
        "queue_ms": job.queue_ms,
        "compute_ms": job.compute_ms,
        "attempt": job.attempt,
        "worker": job.worker,
        "retry_of": job.retry_of or None,
        "failure": {"type": job.failure_type, "message": job.failure_message} if job.failure_type else None,
        "links": _links(job),
    }


def record_with_result(job: Job, parts: Mapping[str, bytes]) -> dict[str, Any]:
    """A job's record and its result from its parts; null before it has succeeded, and once it was deleted."""
    return record_json(job) | {"result": result_json(parts) if parts else None}


def record_in_queue(job: Job, parts: Mapping[str, bytes], is_paused: bool) -> dict[str, Any]:
    """The same, and whether the job waits for its model to be resumed.

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


def _links(job: Job) -> dict[str, str]:
    own = f"/v1/jobs/{job.id}"
    return {"self": own, "result": f"{own}/result", "model": f"/v1/models/{job.model}"}
