"""DELETE /v1/jobs/{id}: cancel a job."""

from __future__ import annotations

from flask import Blueprint, Response

from api.job_lookup import find_job
from api.json_response import json_response
from api.services import services
from tasks.record_json import record_json

routes = Blueprint("cancel_job", __name__)


@routes.delete("/v1/jobs/<job_id>")
def cancel_job(job_id: str) -> Response:
    """End a job that has not ended yet, and answer its record."""
    find_job(job_id)
    return json_response(record_json(services().store.cancel(job_id)))
