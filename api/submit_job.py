"""POST /v1/models/{model}/jobs: take a job. When 202 is answered, it is stored."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from flask import Blueprint, Response, request

from api import idempotency
from api.accepted_types import check_takes_pictures, is_picture
from api.json_response import json_response
from api.model_card import ModelCard, SignatureCard
from api.new_job import choose_version, make_job, queue_is_full
from api.parameters import check_parameters, read_parameters
from api.prefer import Preferences, parse_prefer
from api.received import Received, receive
from api.record import poll_headers, queue_json, record_in_queue
from api.services import services
from api.validation import Input, check_arrays, check_job_pictures, check_json
from api.waiting import MAX_WAIT_S, Place
from tasks.errors import BrokerUnavailable, QueueFull
from tasks.job import Job, new_job_id
from tasks.payload import ARRAY_TYPES
from tasks.receipt import Receipt

routes = Blueprint("submit_job", __name__)


@routes.post("/v1/models/<model>/jobs")
@routes.post("/v1/models/<model>/versions/<version>/jobs")
def submit_job(model: str, version: str | None = None) -> Response:
    """Check the input, record the job, and answer 202; or 200 when it ends while its client waits."""
    job, payload = _read_job(model, version)
    preferences = parse_prefer(request.headers.get("Prefer", ""), MAX_WAIT_S)
    with services().waiters.place(job.id, preferences.wait_s) as place:
        receipt = _store(job, payload)
        if receipt.job_id == job.id:
            return _answer(job, receipt, preferences, place)
    # The same request came before, with the same idempotency key.
    with services().waiters.place(receipt.job_id, preferences.wait_s) as place:
        place.look_at_once()
        return _answer(replace(job, id=receipt.job_id), receipt, preferences, place)


def _read_job(model: str, version: str | None) -> tuple[Job, bytes]:
    job_id = new_job_id()
    choice = choose_version(model, version, job_id)
    key = idempotency.read_key()
    received = receive(choice.card)
    parameters = read_parameters([*request.args.items(multi=True), *received.named_values])
    wanted = choice.card.by_signature(parameters.signature)
    checked = _check_input(received, choice.card, wanted)
    check_parameters(parameters, wanted.is_detector, is_picture=checked.content_type not in ARRAY_TYPES)
    job = make_job(job_id, choice, version is not None, parameters, checked)
    if key is not None:
        asked = idempotency.request_digest(version, request.mimetype, parameters, received.body)
        job = replace(job, idempotency=idempotency.key_digest(job.owner, job.model, key), request=asked)
    return job, checked.payload


def _store(job: Job, payload: bytes) -> Receipt:
    try:
        return services().store.submit(job, payload)
    except QueueFull as error:
        raise queue_is_full(error, job.model) from None


def _answer(job: Job, receipt: Receipt, preferences: Preferences, place: Place) -> Response:
    parts: dict[str, bytes] = {}
    waited = False
    # The job is stored: no trouble from here on may look as if it were not.
    with contextlib.suppress(BrokerUnavailable):
        job, parts = place.wait()
        waited = place.watch is not None
    headers = {"Location": f"/v1/jobs/{job.id}", **poll_headers(job)}
    if applied := preferences.applied(waited):
        headers["Preference-Applied"] = applied
    has_ended_in_time = job.is_finished and preferences.wait_s > 0
    record = record_in_queue(job, parts, services().pauses.is_paused(job.model))
    answer = record | queue_json(job, receipt.in_front, services().rates.rate(job.model))
    return json_response(answer, 200 if has_ended_in_time else 202, headers)


def _check_input(received: Received, card: ModelCard, wanted: SignatureCard) -> Input:
    limits = services().settings
    if is_picture(request.mimetype):
        check_takes_pictures(card, [wanted])
        return check_job_pictures(received.files, limits.max_image_pixels, wanted.signature)
    if received.document is not None:
        return check_json(received.document, wanted.signature, limits.max_body_bytes)
    return check_arrays(request.mimetype, received.body, wanted.signature, limits.max_body_bytes)
