"""POST /v1/models/{model}/jobs:bulk: take many jobs in one request, and tell of each what became of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, request

from api import idempotency
from api.accepted_types import FORM, check_takes_pictures
from api.auth import owner
from api.bulk_arrays import cut_arrays
from api.bulk_item import Item, check_count
from api.bulk_lines import JSON_LINES, cut_lines
from api.bulk_pictures import cut_pictures
from api.bulk_submission import BulkSubmission, Entry
from api.callback_url import check_callback_url
from api.errors import UnsupportedMediaType, status_and_headers
from api.json_response import json_response
from api.model_card import SignatureCard
from api.model_versions import Choice
from api.new_job import choose_version, make_job, queue_is_full
from api.parameters import Parameters, check_parameters, read_parameters
from api.received import form_pictures, form_values
from api.request_body import read_bytes
from api.rows_per_job import rows_of_jobs, take_rows_per_job
from api.services import services
from api.validation import Input
from tasks.errors import BrokerUnavailable, QueueFull
from tasks.job import Job, Status, new_job_id
from tasks.payload import ARRAY_TYPES

#: Each is an object of some KB while its form is read; the form has parameters too.
MAX_FORM_PICTURES = 2_000
MAX_FORM_PARTS = MAX_FORM_PICTURES + 16

#: Records read at once.
_READ_AT_ONCE = 1_000

routes = Blueprint("submit_bulk", __name__)


@dataclass(frozen=True)
class _Asked:
    """What is asked for each of the jobs."""

    version: str | None
    key: str | None
    choice: Choice
    wanted: SignatureCard
    parameters: Parameters
    rows_per_job: int

    def job(self, index: int, checked: Input) -> Job:
        """That of the item that begins at row `index`."""
        job = make_job(new_job_id(), self.choice, self.version is not None, self.parameters, checked)
        if self.key is None:
            return job
        asked = idempotency.request_digest(self.version, checked.content_type, self.parameters, checked.payload)
        digest = idempotency.item_key_digest(job.owner, job.model, self.key, index)
        return replace(job, idempotency=digest, request=asked)


@routes.post("/v1/models/<model>/jobs:bulk")
@routes.post("/v1/models/<model>/versions/<version>/jobs:bulk")
def submit_bulk(model: str, version: str | None = None) -> Response:
    """Record a job for each item of the body, and answer 202 with what became of each."""
    asked = _read_asked(model, version)
    bulk = BulkSubmission(asked.job)
    bulk.run(services().store, _read_items(asked))
    halt = queue_is_full(bulk.halt, model) if isinstance(bulk.halt, QueueFull) else bulk.halt
    if halt is not None and not bulk.accepted:
        raise halt
    headers = {} if halt is None else status_and_headers(halt)[1]
    return json_response(_answer(bulk), 202, headers)


def _read_asked(model: str, version: str | None) -> _Asked:
    # One draw for all, where versions share the jobs: the rows of a request are answered in one form.
    choice = choose_version(model, version, new_job_id())
    key = idempotency.read_key()
    given = list(request.args.items(multi=True))
    is_form = request.mimetype == FORM
    if is_form:
        check_takes_pictures(choice.card, list(choice.card.signatures.values()))
        request.max_form_parts = MAX_FORM_PARTS
        given += form_values()
    rows_per_job, given = take_rows_per_job(given)
    parameters = read_parameters(given)
    wanted = choice.card.by_signature(parameters.signature)
    check_parameters(parameters, wanted.is_detector, is_picture=is_form)
    check_callback_url(parameters.callback_url, owner(), services().settings)
    return _Asked(version, key, choice, wanted, parameters, rows_of_jobs(rows_per_job, wanted.signature, is_form))


def _read_items(asked: _Asked) -> Iterator[Item]:
    mimetype, limits, signature = request.mimetype, services().settings, asked.wanted.signature
    if mimetype == FORM:
        check_takes_pictures(asked.choice.card, [asked.wanted])
        pictures = form_pictures()
        check_count(len(pictures), "pictures", MAX_FORM_PICTURES)
        return cut_pictures(pictures, signature, asked.rows_per_job, limits.max_image_pixels)
    if mimetype in ARRAY_TYPES:
        return cut_arrays(mimetype, read_bytes(), signature, asked.rows_per_job, limits.max_body_bytes)
    if mimetype in JSON_LINES:
        return cut_lines(read_bytes(), signature, asked.rows_per_job, limits.max_body_bytes)
    taken = ", ".join([*ARRAY_TYPES, *JSON_LINES, *([FORM] if asked.wanted.takes_pictures else [])])
    raise UnsupportedMediaType(f"Content-Type {mimetype[:80]!r} is not taken in bulk; taken are {taken}.")


def _answer(bulk: BulkSubmission) -> dict[str, Any]:
    statuses = _statuses(bulk.repeated)
    return {
        "jobs": [_entry_json(entry, statuses) for entry in bulk.entries],
        "accepted": bulk.accepted,
        "refused": len(bulk.entries) - bulk.accepted,
    }


def _entry_json(entry: Entry, statuses: Mapping[str, Status]) -> dict[str, Any]:
    told: dict[str, Any] = {"index": entry.index, "rows": entry.rows}
    if entry.job_id is None:
        told["error"] = entry.error
    else:
        told |= {"id": entry.job_id, "status": statuses.get(entry.job_id, Status.QUEUED)}
    return told | ({"line_ids": entry.line_ids} if entry.line_ids else {})


def _statuses(job_ids: Sequence[str]) -> dict[str, Status]:
    """Of jobs that an earlier request brought, which may have ended since."""
    found: dict[str, Status] = {}
    # They are stored: no trouble from here on may look as if they were not.
    with contextlib.suppress(BrokerUnavailable):
        for start in range(0, len(job_ids), _READ_AT_ONCE):
            records = services().store.find_many(job_ids[start : start + _READ_AT_ONCE])
            found |= {job.id: job.status for job in records if job is not None}
    return found
