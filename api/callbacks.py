"""Callbacks: GET /v1/jobs/{id}/callback, GET /v1/callbacks, POST /v1/jobs/{id}/callback:redeliver."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request

from api.auth import owner
from api.errors import CallbackNotFound, no_result
from api.job_lookup import find_job
from api.json_response import json_response
from api.page_query import read_after, read_limit, read_query, read_status
from api.services import services
from tasks.callbacks.callback import RECORDED, Attempt, Callback, CallbackStatus
from tasks.callbacks.store import Place
from tasks.iso_time import iso_time
from tasks.job import Job

_NAMES = ("status", "after", "limit")
#: A time in µs, of no more digits than Redis's scores hold exactly, and a job's id.
_CURSOR = re.compile(r"([0-9]{1,16})-([0-9a-f-]{36})")

routes = Blueprint("callbacks", __name__)


@routes.get("/v1/jobs/<job_id>/callback")
def get_callback(job_id: str) -> Response:
    """A job's callback and its attempts."""
    return json_response(_callback_json(services().store.callbacks.get(_find(job_id))))


@routes.post("/v1/jobs/<job_id>/callback:redeliver")
def redeliver_callback(job_id: str) -> Response:
    """Try a callback anew, from now on, whatever became of it."""
    job = _find(job_id)
    if not services().store.callbacks.redeliver(job):
        raise no_result(job)
    return json_response(_callback_json(services().store.callbacks.get(job)), 202)


@routes.get("/v1/callbacks")
def list_callbacks() -> Response:
    """One's own callbacks, those of the jobs that ended last first, and from where the next page goes on."""
    given = read_query(request.args.items(multi=True), _NAMES)
    limit = read_limit(given)
    places = services().store.callbacks.page(owner(), _statuses(given), _after(given), limit)
    jobs = services().store.find_many([place.job_id for place in places])
    found = services().store.callbacks.find_many([job for job in jobs if job])
    after = f"{places[-1].ends_us}-{places[-1].job_id}" if len(places) == limit else None
    return json_response({"callbacks": [_callback_json(callback) for callback in found], "after": after})


def _find(job_id: str) -> Job:
    job = find_job(job_id)
    if not job.callback_url:
        raise CallbackNotFound(f"Job {job_id} was submitted without a callback_url.")
    return job


def _statuses(given: Mapping[str, str]) -> Sequence[CallbackStatus]:
    status = read_status(given, RECORDED)
    return [CallbackStatus(status)] if status else RECORDED


def _after(given: Mapping[str, str]) -> Place | None:
    found = read_after(given, _CURSOR)
    return Place(int(found[1]), found[2]) if found else None


def _callback_json(callback: Callback) -> dict[str, Any]:
    return {
        "id": callback.job_id,
        "url": callback.url,
        "status": str(callback.status),
        "attempt": callback.number,
        "due_at": iso_time(callback.due_at_us),
        "attempts": [_attempt_json(attempt) for attempt in callback.attempts],
        "links": {"self": f"/v1/jobs/{callback.job_id}/callback", "job": f"/v1/jobs/{callback.job_id}"},
    }


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": iso_time(attempt.started_at_us),
        "took_ms": attempt.took_ms,
        "status_code": attempt.status_code,
        "trouble": attempt.trouble,
    }
