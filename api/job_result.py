"""GET and DELETE /v1/jobs/{id}/result: a job's result in the form that `Accept` asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask import Blueprint, Response, request
from werkzeug.datastructures import MIMEAccept

from api.errors import InvalidParameter, NotAcceptable, no_result
from api.job_lookup import find_job
from api.json_response import json_response
from api.services import services
from tasks.payload import NPY, NPZ
from tasks.result import drawn_pictures, only_output, result_json, result_npz

JSON = "application/json"
PNG = "image/png"
ROW = re.compile(r"[0-9]{1,9}")

routes = Blueprint("job_result", __name__)


@routes.get("/v1/jobs/<job_id>/result")
def get_result(job_id: str) -> Response:
    """The result alone."""
    job = find_job(job_id)
    parts = services().store.result(job_id)
    if not parts:
        raise no_result(job)
    response = _render(parts, request.accept_mimetypes, request.args.get("row"))
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


def _render(parts: Mapping[str, bytes], accept: MIMEAccept, row: str | None) -> Response:
    drawn = drawn_pictures(parts)
    npy = only_output(parts) if accept[NPY] else None
    offered = [JSON, NPZ, *([PNG] if drawn else []), *([NPY] if npy else [])]
    chosen = accept.best_match(offered) if accept else JSON
    if chosen is None:
        raise NotAcceptable(f"This result cannot be had as {str(accept)[:80]}; it can as {', '.join(offered)}.")
    if chosen == JSON:
        return json_response(result_json(parts))
    if chosen == PNG:
        return Response(drawn[_row(row, len(drawn))], mimetype=PNG)
    return Response(result_npz(parts) if chosen == NPZ else npy, mimetype=chosen)


def _row(text: str | None, rows: int) -> int:
    """Which of the drawn pictures is asked for; the only one need not be named."""
    if text is None and rows == 1:
        return 0
    if text is not None and ROW.fullmatch(text) and int(text) < rows:
        return int(text)
    got = "none" if text is None else repr(text)[:80]
    raise InvalidParameter("row", f"which of the {rows} pictures, from 0 to {rows - 1}", got)
