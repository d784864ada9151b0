"""A job's record as JSON, for answers and callbacks; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.iso_time import iso_time
from tasks.job import Job
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


def _links(job: Job) -> dict[str, str]:
    own = f"/v1/jobs/{job.id}"
    links = {"self": own, "result": f"{own}/result", "model": f"/v1/models/{job.model}"}
    return links | ({"callback": f"{own}/callback"} if job.callback_url else {})
