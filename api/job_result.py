"""GET and DELETE /v1/jobs/{id}/result: a job's result in the form that `Accept` asks for."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request
from werkzeug.datastructures import MIMEAccept

from api.errors import NotAcceptable, no_result
from api.job_lookup import find_job
from api.json_response import json_response
from api.services import services
from tasks.payload import NPY, NPZ
from tasks.result import ANNOTATED, only_output, result_json, result_npz

JSON = "application/json"
PNG = "image/png"

routes = Blueprint("job_result", __name__)


@routes.get("/v1/jobs/<job_id>/result")
def get_result(job_id: str) -> Response:
    """The result alone."""
    job = find_job(job_id)
    parts = services().store.result(job_id)
    if not parts:
        raise no_result(job)
    response = _render(parts, request.accept_mimetypes)
    response.vary.add("Accept")
    return response


@routes.delete("/v1/jobs/<job_id>/result")
def delete_result(job_id: str) -> Response:
    """Free the memory of a result; the record stays."""
    job = find_job(job_id)
    if not job.is_finished:
        raise no_result(job)
    services().store.delete_result(job_id)
    return Response(status=204)


def _render(parts: Mapping[str, bytes], accept: MIMEAccept) -> Response:
    raw = {PNG: parts.get(ANNOTATED), NPY: only_output(parts) if accept[NPY] else None}
    offered = [JSON, NPZ, *(mimetype for mimetype, data in raw.items() if data is not None)]
    chosen = accept.best_match(offered) if accept else JSON
    if chosen is None:
        raise NotAcceptable(f"This result cannot be had as {str(accept)[:80]}; it can as {', '.join(offered)}.")
    if chosen == JSON:
        return json_response(result_json(parts))
    return Response(result_npz(parts) if chosen == NPZ else raw[chosen], mimetype=chosen)
