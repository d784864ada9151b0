"""Everything that can go wrong, as an HTTP answer. The only place that knows status codes of errors.

Each answer is `{"error": {"type", "message", "field"?, "expected"?, "got"?}}`. The types are stable; docs/http.md
lists them.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from api.json_response import json_response
from model_store.errors import InvalidInput, PictureError
from tasks.errors import (
    BrokerUnavailable,
    IdempotencyKeyReused,
    JobFinished,
    JobGone,
    JobNotFound,
    JobUnfinished,
    MemoryFull,
    ModelUnknown,
    QueueFull,
)
from tasks.job import Job, Status

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """A request that cannot be answered as asked; its text is a sentence for the client."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "bad_request"
    headers: Mapping[str, str] = {}


class FieldError(ApiError):
    """One field of the request is wrong."""

    def __init__(self, field: str, expected: str, got: str) -> None:
        super().__init__(f"{field}: expected {expected}, got {got}.")
        self.field = field
        self.expected = expected
        self.got = got


class InvalidParameter(FieldError):
    """A parameter is unknown, contradicts another, or has a value that it cannot have."""

    type = "invalid_parameter"


class InvalidHeader(FieldError):
    """A header has a value that it cannot have."""

    type = "invalid_header"


class InvalidBody(FieldError):
    """The body's outer form is not the documented one."""

    type = "invalid_body"


class MalformedJson(ApiError):
    """The body is not JSON."""

    type = "malformed_json"


class Unauthorized(ApiError):
    """No API key, or none that is known."""

    status = 401
    type = "unauthorized"
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="celeriac"'}


class VersionNotFound(ApiError):
    """The model is served, but not in this version."""

    status = 404
    type = "version_not_found"


class NotAcceptable(ApiError):
    """The result cannot be had in any of the types that `Accept` names."""

    status = 406
    type = "not_acceptable"


class JobCancelled(ApiError):
    """A cancelled job has no result."""

    status = 409
    type = "job_cancelled"


class JobExpired(ApiError):
    """A job that was not run before its deadline has no result."""

    status = 410
    type = "job_expired"


class ResultGone(ApiError):
    """The result was deleted, or its lifetime is over."""

    status = 410
    type = "result_gone"


class UnsupportedMediaType(ApiError):
    """The model takes no input of this content type."""

    status = 415
    type = "unsupported_media_type"


class JobFailed(ApiError):
    """What was asked for is the result of a failed job: its failure is the answer, its type the failure's."""

    status = 422

    def __init__(self, job: Job) -> None:
        super().__init__(job.failure_message)
        self.failure_type = job.failure_type


class QueueIsFull(ApiError):
    """There is no room for another job of this model now."""

    status = 429
    type = "queue_full"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(retry_after_s)}


class ModelNotReady(ApiError):
    """No worker of the model was ever ready, so nothing is known to check an input against."""

    status = 503
    type = "model_not_ready"
    headers: Mapping[str, str] = {"Retry-After": "5"}


class NotReady(ApiError):
    """Something that is expected to run does not yet."""

    status = 503
    type = "not_ready"
    headers: Mapping[str, str] = {"Retry-After": "5"}


#: Errors of the packages below: status and type.
FROM_OTHER_PACKAGES: Mapping[type[Exception], tuple[int, str]] = {
    InvalidInput: (400, "invalid_input"),
    PictureError: (400, "invalid_picture"),
    JobNotFound: (404, "job_not_found"),
    ModelUnknown: (404, "model_not_found"),
    JobFinished: (409, "job_finished"),
    JobUnfinished: (409, "job_not_finished"),
    JobGone: (410, "job_gone"),
    IdempotencyKeyReused: (422, "idempotency_key_reused"),
    QueueFull: (429, "queue_full"),
    MemoryFull: (429, "memory_full"),
    BrokerUnavailable: (503, "broker_unavailable"),
}

#: In s. A broker that restarts is back within a few; memory is freed by jobs that end, and that takes longer.
RETRY_AFTER_S = {429: "30", 503: "2"}


def install_error_answers(app: Flask) -> None:
    """Answer every error in `app` with JSON."""
    app.register_error_handler(Exception, _answer)


def describe(error: Exception) -> dict[str, str]:
    """What a client is told of an error."""
    if isinstance(error, JobFailed):
        described = {"type": error.failure_type, "message": str(error)}
    elif isinstance(error, ApiError):
        described = {"type": error.type, "message": str(error)}
    else:
        _, kind = FROM_OTHER_PACKAGES[type(error)]
        described = {"type": kind, "message": str(error)}
    if isinstance(error, PictureError):
        described["field"] = "image"
    if isinstance(error, FieldError | InvalidInput):
        described |= {"field": error.field, "expected": error.expected, "got": error.got}
    return described


def status_and_headers(error: Exception) -> tuple[int, Mapping[str, str]]:
    """The status of an answer that says nothing but this error, and what its headers say of it."""
    if isinstance(error, ApiError):
        return error.status, error.headers
    status, _ = FROM_OTHER_PACKAGES[type(error)]
    return status, {"Retry-After": RETRY_AFTER_S[status]} if status in RETRY_AFTER_S else {}


def no_result(job: Job) -> Exception:
    """Why a job has no result, though somebody asks for it."""
    if job.status is Status.FAILED:
        return JobFailed(job)
    if job.status is Status.CANCELLED:
        return JobCancelled(f"Job {job.id} was cancelled, so it has no result.")
    if job.status is Status.EXPIRED:
        return JobExpired(f"Job {job.id} was not run before its deadline, so it has no result.")
    if job.status is Status.SUCCEEDED:
        return ResultGone(f"The result of job {job.id} was deleted, or its lifetime is over.")
    return JobUnfinished(f"Job {job.id} is {job.status}; it has no result yet.")


def _answer(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _answer_http(error)
    if isinstance(error, ApiError) or type(error) in FROM_OTHER_PACKAGES:
        return json_response({"error": describe(error)}, *status_and_headers(error))
    # The exception's own text may hold what the client sent: the log gets its type and where it came from.
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("Unexpected %s in %s\n%s", type(error).__name__, request.endpoint, frames)
    return json_response({"error": {"type": "internal_error", "message": "internal error"}}, 500)


def _answer_http(error: HTTPException) -> Response:
    kind, message = error.name.lower().replace(" ", "_"), error.description or error.name
    if isinstance(error, NotFound):
        message = f"There is nothing at {request.path[:80]}. /openapi.json lists what there is."
    elif isinstance(error, MethodNotAllowed):
        message = f"{request.method} is not for {request.path[:80]}. The header Allow names what is."
    elif isinstance(error, RequestEntityTooLarge):
        kind, message = "body_too_large", _size_limits(current_app.config)
    # Keeps what belongs to the status: Allow, for example.
    kept = {name: value for name, value in error.get_headers() if name not in ("Content-Type", "Content-Length")}
    return json_response({"error": {"type": kind, "message": message}}, error.code or 500, kept)


def _size_limits(config: Mapping[str, Any]) -> str:
    return (
        f"A body has at most {config['MAX_CONTENT_LENGTH']} bytes; a form at most {request.max_form_parts} parts, "
        f"and {config['MAX_FORM_MEMORY_SIZE']} bytes in its text fields."
    )
