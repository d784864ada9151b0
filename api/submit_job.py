"""POST /v1/models/{model}/jobs: take a job. When 202 is answered, it is stored."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, request

from api import idempotency
from api.auth import owner
from api.drain import retry_after_s
from api.errors import InvalidBody, QueueIsFull, UnsupportedMediaType, VersionNotFound
from api.json_response import json_response
from api.model_card import ModelCard, SignatureCard
from api.model_versions import Choice
from api.parameters import check_parameters, read_parameters
from api.prefer import Preferences, parse_prefer
from api.record import poll_headers, queue_json, record_in_queue
from api.request_body import JSON, json_kind, parse_object, read_bytes
from api.services import services
from api.validation import Input, check_arrays, check_json, check_picture, check_pictures
from api.waiting import MAX_WAIT_S, Place
from model_store.errors import InvalidInput
from model_store.signature import Signature
from tasks.errors import BrokerUnavailable, QueueFull
from tasks.job import Job, new_job_id
from tasks.payload import ARRAY_TYPES
from tasks.picture_list import pack_pictures
from tasks.receipt import Receipt

FORM = "multipart/form-data"

#: A name and a value, as text or as JSON gave it.
NamedValues = list[tuple[str, Any]]

routes = Blueprint("submit_job", __name__)


@dataclass(frozen=True)
class Received:
    """What came, not yet checked: the input's bytes, the JSON object in them if it is one, and the parameters.

    Of a form the bytes are those of its files.
    """

    body: bytes
    named_values: NamedValues
    document: dict[str, Any] | None = None
    files: Sequence[bytes] = ()


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
    choice = _choose(model, version, job_id)
    card = choice.card
    key = _idempotency_key()
    received = _receive(card)
    parameters = read_parameters([*request.args.items(multi=True), *received.named_values])
    wanted = card.by_signature(parameters.signature)
    checked = _check_input(received, card, wanted)
    check_parameters(parameters, wanted.is_detector, is_picture=checked.content_type not in ARRAY_TYPES)
    job = Job(
        id=job_id,
        model=card.name,
        version=card.version,
        pinned=version is not None,
        label=choice.label,
        owner=owner(),
        content_type=checked.content_type,
        rows=checked.rows,
        **vars(parameters.with_deadline(services().settings.max_queue_age_s)),
    )
    if key is not None:
        asked = idempotency.request_digest(version, request.mimetype, parameters, received.body)
        job = replace(job, idempotency=idempotency.key_digest(job.owner, job.model, key), request=asked)
    return job, checked.payload


def _idempotency_key() -> str | None:
    key = request.headers.get(idempotency.HEADER)
    if key is not None:
        idempotency.check_key(key)
    return key


def _choose(model: str, version: str | None, job_id: str) -> Choice:
    cards = services().cards
    try:
        return cards.get(model).choose(version, job_id)
    except VersionNotFound:
        # It may be served since the cards were read, and its client may know that.
        return cards.get(model, keep_s=0.0).choose(version, job_id)


def _store(job: Job, payload: bytes) -> Receipt:
    try:
        return services().store.submit(job, payload)
    except QueueFull as error:
        rate = services().rates.rate(job.model)
        hint = " The model is paused." if services().pauses.is_paused(job.model) else ""
        raise QueueIsFull(f"{error}{hint}", retry_after_s(error.queued, rate)) from None


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


def _receive(card: ModelCard) -> Received:
    mimetype = request.mimetype
    if _is_picture(mimetype):
        _check_takes_pictures(card, list(card.signatures.values()))
        return _receive_pictures(mimetype)
    if mimetype == JSON:
        body = read_bytes()
        document = parse_object(body, ("instances", "inputs", "parameters"))
        parameters = document.pop("parameters", {})
        if not isinstance(parameters, dict):
            raise InvalidBody("parameters", "a JSON object", f"a JSON {json_kind(parameters)}")
        return Received(body, list(parameters.items()), document)
    if mimetype in ARRAY_TYPES:
        return Received(read_bytes(), [])
    accepted = _accepted(list(card.signatures.values()))
    raise UnsupportedMediaType(f"Content-Type {mimetype[:80]!r} is not taken; taken are {accepted}.")


def _receive_pictures(mimetype: str) -> Received:
    if mimetype != FORM:
        picture = read_bytes()
        return Received(picture, [], files=[picture])
    files = _form_pictures()
    # werkzeug names a part None whose header has no name.
    named_values = [(name or "", text) for name, text in request.form.items(multi=True)]
    return Received(files[0] if len(files) == 1 else pack_pictures(files), named_values, files=files)


def _check_pictures(files: Sequence[bytes], signature: Signature) -> Input:
    max_pixels = services().settings.max_image_pixels
    if len(files) == 1 and signature.fixed_rows in (None, 1):
        return check_picture(files[0], max_pixels)
    return check_pictures(files, max_pixels, signature)


def _check_input(received: Received, card: ModelCard, wanted: SignatureCard) -> Input:
    limits = services().settings
    if _is_picture(request.mimetype):
        _check_takes_pictures(card, [wanted])
        return _check_pictures(received.files, wanted.signature)
    if received.document is not None:
        return check_json(received.document, wanted.signature, limits.max_body_bytes)
    return check_arrays(request.mimetype, received.body, wanted.signature, limits.max_body_bytes)


def _is_picture(mimetype: str) -> bool:
    return mimetype == FORM or mimetype.startswith("image/")


def _check_takes_pictures(card: ModelCard, signatures: Sequence[SignatureCard]) -> None:
    if not any(signature.takes_pictures for signature in signatures):
        raise UnsupportedMediaType(
            f"Model {card.name!r} takes no pictures, only {_accepted(signatures)}. "
            "For pictures, add a table [image] to its model.toml."
        )


def _form_pictures() -> list[bytes]:
    files = list(request.files.items(multi=True))
    if files and all(name == "image" for name, _ in files):
        return [file.stream.read() for _, file in files]
    got = ", ".join(str(name)[:40] for name, _ in files) or "no file"
    raise InvalidInput("image", "one file or several, each in a field image of the form", got)


def _accepted(signatures: Sequence[SignatureCard]) -> str:
    pictures = ["image/*", FORM] if any(signature.takes_pictures for signature in signatures) else []
    return ", ".join([JSON, *ARRAY_TYPES, *pictures])
