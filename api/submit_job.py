"""POST /v1/models/{model}/jobs: take a job. When 202 is answered, it is stored."""

from __future__ import annotations

import contextlib
from typing import Any

from flask import Blueprint, Response, request

from api.auth import owner
from api.errors import InvalidBody, UnsupportedMediaType
from api.json_response import json_response
from api.model_card import ModelCard, check_version
from api.parameters import check_parameters, read_parameters
from api.prefer import Preferences, parse_prefer
from api.record import poll_headers, record_with_result
from api.request_body import JSON, json_kind, read_bytes, read_object
from api.services import services
from api.validation import Input, check_arrays, check_json, check_picture
from api.waiting import MAX_WAIT_S, Place
from model_store.errors import InvalidInput
from tasks.errors import BrokerUnavailable
from tasks.job import Job, new_job_id
from tasks.payload import ARRAY_TYPES

FORM = "multipart/form-data"

#: A name and a value, as text or as JSON gave it.
NamedValues = list[tuple[str, Any]]

routes = Blueprint("submit_job", __name__)


@routes.post("/v1/models/<model>/jobs")
@routes.post("/v1/models/<model>/versions/<version>/jobs")
def submit_job(model: str, version: str | None = None) -> Response:
    """Check the input, record the job, and answer 202; or 200 when it ends while its client waits."""
    card = services().cards.get(model)
    if version is not None:
        check_version(card, version)
    checked, named_values = _read_input(card)
    parameters = read_parameters([*request.args.items(multi=True), *named_values])
    check_parameters(parameters, card.is_detector, is_picture=checked.content_type not in ARRAY_TYPES)
    job = Job(
        id=new_job_id(),
        model=card.name,
        version=card.version,
        pinned=version is not None,
        owner=owner(),
        content_type=checked.content_type,
        rows=checked.rows,
        **vars(parameters.with_deadline(services().settings.max_queue_age_s)),
    )
    preferences = parse_prefer(request.headers.get("Prefer", ""), MAX_WAIT_S)
    with services().waiters.place(job.id, preferences.wait_s) as place:
        services().store.submit(job, checked.payload)
        return _answer(job, preferences, place)


def _answer(job: Job, preferences: Preferences, place: Place) -> Response:
    parts: dict[str, bytes] = {}
    waited = False
    # The job is stored: no trouble from here on may look as if it were not.
    with contextlib.suppress(BrokerUnavailable):
        job, parts = place.wait()
        waited = place.watch is not None
    headers = {"Location": f"/v1/jobs/{job.id}", **poll_headers(job)}
    if applied := preferences.applied(waited):
        headers["Preference-Applied"] = applied
    return json_response(record_with_result(job, parts), 200 if job.is_finished else 202, headers)


def _read_input(card: ModelCard) -> tuple[Input, NamedValues]:
    """The checked input, and the parameters that came with it."""
    mimetype, limits = request.mimetype, services().settings
    if mimetype == JSON:
        document = read_object(("instances", "inputs", "parameters"))
        parameters = document.pop("parameters", {})
        if not isinstance(parameters, dict):
            raise InvalidBody("parameters", "a JSON object", f"a JSON {json_kind(parameters)}")
        return check_json(document, card.signature, limits.max_body_bytes), list(parameters.items())
    if mimetype in ARRAY_TYPES:
        return check_arrays(mimetype, read_bytes(), card.signature, limits.max_body_bytes), []
    if mimetype == FORM or mimetype.startswith("image/"):
        return _read_picture(card, mimetype)
    raise UnsupportedMediaType(f"Content-Type {mimetype[:80]!r} is not taken; taken are {_accepted(card)}.")


def _read_picture(card: ModelCard, mimetype: str) -> tuple[Input, NamedValues]:
    if not card.takes_pictures:
        raise UnsupportedMediaType(
            f"Model {card.name!r} takes no pictures, only {_accepted(card)}. "
            "For pictures, add a table [image] to its model.toml."
        )
    fields: NamedValues = []
    if mimetype == FORM:
        data = _form_picture()
        fields = list(request.form.items(multi=True))
    else:
        data = read_bytes()
    return check_picture(data, services().settings.max_image_pixels), fields


def _form_picture() -> bytes:
    files = list(request.files.items(multi=True))
    if [name for name, _ in files] == ["image"]:
        return files[0][1].stream.read()
    got = ", ".join(str(name)[:40] for name, _ in files) or "no file"
    raise InvalidInput("image", "exactly one file, in the form's field image", got)


def _accepted(card: ModelCard) -> str:
    pictures = ["image/*", FORM] if card.takes_pictures else []
    return ", ".join([JSON, *ARRAY_TYPES, *pictures])
