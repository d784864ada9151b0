"""POST /v1/jobs:results and /v1/jobs:free: the results of many jobs in one answer, and the end of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Blueprint, Response, request

from api.auth import is_own
from api.errors import NotAcceptable
from api.job_ids import check_ids, possible_ids
from api.json_response import json_response
from api.request_body import JSON, read_object
from api.services import services
from tasks.payload import NPZ
from tasks.result import result_json, results_npz

#: Of results as they are stored; as JSON they are several times as long, and all are in memory at once.
MAX_RESULTS_BYTES = 16_777_216

#: Results read at once, as long as they are small.
_READ_AT_ONCE = 64

#: How many of the ids were not looked at any more, because those before had as much as an answer may have.
LEFT = "Celeriac-Left"

routes = Blueprint("many_results", __name__)


@routes.post("/v1/jobs:results")
def get_results() -> Response:
    """The results there are, in the form that `Accept` asks for."""
    ids = check_ids(read_object(("ids",)).get("ids"))
    accept = request.accept_mimetypes
    chosen = accept.best_match([JSON, NPZ]) if accept else JSON
    if chosen is None:
        raise NotAcceptable(f"Results cannot be had as {str(accept)[:80]}; they can as {JSON}, {NPZ}.")
    results, left = _read(ids)
    if chosen == JSON:
        told = {job_id: result_json(parts) for job_id, parts in results.items()}
        response = json_response({"results": told, "left": left})
    else:
        response = Response(results_npz(results), mimetype=NPZ)
    response.headers[LEFT] = str(left)
    response.vary.add("Accept")
    return response


@routes.post("/v1/jobs:free")
def free_results() -> Response:
    """Free the memory of the results there are; the records stay."""
    ids = possible_ids(check_ids(read_object(("ids",)).get("ids")))
    own = [job.id for job in services().store.find_many(ids) if job is not None and is_own(job)]
    return json_response({"freed": services().store.delete_results(own)})


def _read(ids: Sequence[str]) -> tuple[dict[str, Mapping[str, bytes]], int]:
    """One's own results by job id, at least one if there is one, and how many ids at the end were left out."""
    results: dict[str, Mapping[str, bytes]] = {}
    size_bytes = looked_at = 0
    while looked_at < len(ids):
        some = ids[looked_at : looked_at + _how_many(looked_at, size_bytes)]
        found = services().store.find_results(possible_ids(some))
        for job_id in some:
            job, parts = found.get(job_id, (None, {}))
            if job is not None and parts and is_own(job):
                size_bytes += sum(map(len, parts.values()))
                if results and size_bytes > MAX_RESULTS_BYTES:
                    return results, len(ids) - looked_at
                results[job_id] = parts
            looked_at += 1
    return results, 0


def _how_many(looked_at: int, size_bytes: int) -> int:
    """How many to read next, so that little more is read than is answered, if they are as large as those before."""
    if not looked_at:
        return 1
    fit = (MAX_RESULTS_BYTES - size_bytes) // max(size_bytes // looked_at, 1)
    return min(max(fit, 1), _READ_AT_ONCE)
