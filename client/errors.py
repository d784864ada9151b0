"""What can go wrong between a user and a Celeriac server, as sentences a person can act on.

An input is read (`InputError`), a server addressed (`AddressError`), reached (`Unreachable`), understood
(`UnexpectedReply`) and asked (`ApiError`); a job ends without a result (`JobFailed`) or has not ended yet
(`JobUnfinished`); an answer is printed or saved (`AnswerError`); a backfill writes its output (`OutputError`) and keeps
its checkpoint (`CheckpointError`).
"""

from __future__ import annotations

from collections.abc import Mapping

#: A server, or a proxy before it, that says "not now": queue full, bad gateway, unavailable, gateway timeout.
TEMPORARY_STATUSES = frozenset({429, 502, 503, 504})


class ClientError(Exception):
    """Base of everything this package raises on purpose; its text is one sentence or a few.

    Attributes:
        is_temporary: Whether the same request may well succeed a little later.
        retry_after_s: How long the server asks to wait before the next try, in s; None when it does not say.
        row: Of an error of `map`, which row it is about, from 0; None for any other.
    """

    is_temporary = False
    retry_after_s: float | None = None
    row: int | None = None


class InputError(ClientError):
    """What was given cannot be sent as a job's inputs, or a backfill's input not be read, or does not fit the model."""


class InputFileError(InputError):
    """A file cannot be sent as a job's inputs; nothing was sent."""


class AddressError(ClientError):
    """The URL or the API key cannot be used as it is; nothing was sent."""


class UnsendableError(ClientError):
    """An option cannot be sent over HTTP; nothing was sent."""


class Unreachable(ClientError):
    """No server answered, or the connection was lost before the answer was complete."""

    is_temporary = True


class UnexpectedReply(ClientError):
    """Something answered that does not speak Celeriac's API."""


class ApiError(ClientError):
    """The server refused a request; the text is the server's own sentence.

    Attributes:
        status: The HTTP status.
        type: Celeriac's stable name of the error; empty when a proxy answered.
        field: Which part of the request was wrong; None when no single one was.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        type: str = "",
        field: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.field = field
        self.retry_after_s = retry_after_s
        self.is_temporary = status in TEMPORARY_STATUSES


class BadRequest(ApiError):
    """400: the request or its inputs are wrong; `field` says where."""


class Unauthorized(ApiError):
    """401: an API key is needed, or this one is not known."""


class Forbidden(ApiError):
    """403: not for this key."""


class NotFound(ApiError):
    """404: no such model, version or job."""


class NotAcceptable(ApiError):
    """406: the result has no such form."""


class Conflict(ApiError):
    """409: the job's status does not allow it."""


class Gone(ApiError):
    """410: what was there is over: a job's lifetime, or its result."""


class TooLarge(ApiError):
    """413: more than the server takes in one request."""


class UnsupportedType(ApiError):
    """415: the model does not take inputs of this content type."""


class Unprocessable(ApiError):
    """422: the job failed, or its idempotency key is another request's."""


class TooManyJobs(ApiError):
    """429: the queue or the memory is full; `retry_after_s` says when to ask again."""


class Unavailable(ApiError):
    """502, 503 or 504: the server, or what it stands on, is away."""


_KINDS: Mapping[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    406: NotAcceptable,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    415: UnsupportedType,
    422: Unprocessable,
    429: TooManyJobs,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def api_error_kind(status: int) -> type[ApiError]:
    """The class of the errors with this HTTP status; `ApiError` itself where it has none of its own."""
    return _KINDS.get(status, ApiError)


#: The statuses of errors that come inside of an answer, where they have none of their own; others are 400.
_STATUSES: Mapping[str, int] = {
    "job_not_found": 404,
    "job_gone": 410,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "idempotency_key_reused": 422,
    "queue_full": 429,
    "memory_full": 429,
    "broker_unavailable": 503,
}


def status_of(type: str) -> int:
    """The HTTP status of an error of this type (docs/http.md)."""
    return _STATUSES.get(type, 400)


class JobUnfinished(ClientError):
    """The job has not ended yet, so it has no result."""


class JobFailed(ClientError):
    """The job ended without a result: it failed, was cancelled or expired.

    Attributes:
        job_id: Which job.
        type: Celeriac's stable name of the failure, such as `model_error`; `job_cancelled` and `job_expired` for the
            two others.
    """

    def __init__(self, message: str, *, job_id: str = "", type: str = "") -> None:
        super().__init__(message)
        self.job_id = job_id
        self.type = type


class JobCancelled(JobFailed):
    """The job was cancelled."""


class JobExpired(JobFailed):
    """The job's deadline passed before it ran."""


class OutputError(ClientError):
    """A backfill's output or error file cannot be written, or is not what it was; what the checkpoint has stays."""


class CheckpointError(ClientError):
    """A backfill's checkpoint cannot be used: damaged, in use, of another version, or of another run."""


class AnswerError(ClientError):
    """An answer cannot be printed or saved as asked; it stays on the server."""
