"""POST /v1/jobs:query: the records of many jobs in one request, at once or as soon as one of them has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response

from api.auth import check_owner, is_own
from api.errors import InvalidBody, describe
from api.job_ids import check_ids, possible_ids
from api.job_lookup import check_id
from api.json_response import json_response
from api.many_results import MAX_RESULTS_BYTES
from api.request_body import json_kind, read_object
from api.services import services
from api.waiting import check_wait
from tasks.errors import JobGone, JobNotFound
from tasks.job import Job, Status
from tasks.record_json import record_json
from tasks.result import result_json

routes = Blueprint("query_jobs", __name__)


@routes.post("/v1/jobs:query")
def query_jobs() -> Response:
    """Records in the order asked for; in place of one that cannot be had, its id and why."""
    query = read_object(("ids", "results", "wait"))
    ids, with_results = check_ids(query.get("ids")), query.get("results", False)
    if not isinstance(with_results, bool):
        raise InvalidBody("results", "a boolean", f"a JSON {json_kind(with_results)}")
    found = _find_at_an_end(ids, check_wait(query.get("wait", 0)))
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


def _find_at_an_end(ids: Sequence[str], wait_s: float) -> dict[str, Job]:
    """Those there are, as soon as one of all has ended or cannot be had: one that ends between two requests is told."""
    with services().waiters.watch_any(possible_ids(ids), wait_s) as watch:
        found = _find(ids)
        if watch is not None and ids and _all_go_on(ids, found):
            for _ in watch.looks(wait_s):
                found = _find(ids)
                if not _all_go_on(ids, found):
                    break
        return found


def _all_go_on(ids: Sequence[str], found: Mapping[str, Job]) -> bool:
    return all(job_id in found and is_own(found[job_id]) and not found[job_id].is_finished for job_id in ids)


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
