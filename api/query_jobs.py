"""POST /v1/jobs:query: the records of many jobs in one request, at once or when the next of them ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response

from api.auth import check_owner, is_own
from api.errors import InvalidBody, describe
from api.job_ids import check_ids, possible_ids
from api.job_lookup import check_id
from api.json_response import json_response
from api.many_results import MAX_RESULTS_BYTES
from api.record import record_json
from api.request_body import json_kind, read_object
from api.services import services
from api.waiting import check_wait
from tasks.errors import JobGone, JobNotFound
from tasks.job import Job, Status
from tasks.result import result_json

routes = Blueprint("query_jobs", __name__)


@routes.post("/v1/jobs:query")
def query_jobs() -> Response:
    """Records in the order asked for; in place of one that cannot be had, its id and why."""
    query = read_object(("ids", "results", "wait"))
    ids, with_results = check_ids(query.get("ids")), query.get("results", False)
    if not isinstance(with_results, bool):
        raise InvalidBody("results", "a boolean", f"a JSON {json_kind(with_results)}")
    found = _find_at_next_end(ids, check_wait(query.get("wait", 0)))
    entries = [_entry(job_id, found.get(job_id)) for job_id in ids]
    if with_results:
        _add_results(entries)
    return json_response({"jobs": entries})


def _add_results(entries: Sequence[dict[str, Any]]) -> None:
    left_bytes = MAX_RESULTS_BYTES
    for entry in entries:
        if "error" in entry:
            continue
        parts = services().store.result(entry["id"]) if entry["status"] == Status.SUCCEEDED else {}
        left_bytes -= sum(map(len, parts.values()))
        if left_bytes < 0:
            raise InvalidBody("ids", f"jobs with at most {MAX_RESULTS_BYTES} bytes of results in all", "more")
        entry["result"] = result_json(parts) if parts else None


def _find_at_next_end(ids: Sequence[str], wait_s: float) -> dict[str, Job]:
    """Those there are, when one that has not ended yet ends; at once when all have."""
    with services().waiters.watch_any(possible_ids(ids), wait_s) as watch:
        found = _find(ids)
        pending = [job.id for job in found.values() if not job.is_finished and is_own(job)]
        if watch is not None and pending:
            for _ in watch.looks(wait_s):
                now = _find(pending)
                if len(now) < len(pending) or any(job.is_finished for job in now.values()):
                    break
            found = {job_id: job for job_id, job in found.items() if job_id not in pending} | now
        return found


def _find(ids: Sequence[str]) -> dict[str, Job]:
    """Those there are, all in one round trip to Redis."""
    return {job.id: job for job in services().store.find_many(possible_ids(ids)) if job is not None}


def _entry(job_id: str, job: Job | None) -> dict[str, Any]:
    try:
        if job is None:
            check_id(job_id)
            raise services().store.absent(job_id)
        check_owner(job)
    except (JobNotFound, JobGone) as error:
        return {"id": job_id[:80], "error": describe(error)}
    return record_json(job)
