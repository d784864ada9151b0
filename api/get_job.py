"""GET /v1/jobs/{id}: a job's record, at once or when it ends."""

from __future__ import annotations

from flask import Blueprint, Response, request

from api.auth import check_owner
from api.job_lookup import check_id
from api.json_response import json_response
from api.record import poll_headers, record_in_queue
from api.services import services
from api.waiting import parse_wait

routes = Blueprint("get_job", __name__)


@routes.get("/v1/jobs/<job_id>")
def get_job(job_id: str) -> Response:
    """The record with its result; `?wait=SECONDS` holds the answer back until the job ends."""
    wait_s = parse_wait(request.args.get("wait", "0"))
    check_id(job_id)
    with services().waiters.place(job_id, wait_s) as place:
        job, parts = services().store.get_with_result(job_id)
        check_owner(job)
        if place.watch and not job.is_finished:
            job, parts = place.wait()
    is_paused = services().pauses.is_paused(job.model)
    return json_response(record_in_queue(job, parts, is_paused), headers=poll_headers(job))
