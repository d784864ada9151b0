"""What can go wrong between a user and a Celeriac server, as sentences a person can act on.

A file is read (`InputFileError`), a server addressed (`AddressError`), reached (`Unreachable`), understood
(`UnexpectedReply`) and asked (`ApiError`); a job ends without a result (`JobFailed`) or has not ended yet
(`JobUnfinished`); an answer is printed or saved (`AnswerError`); a backfill writes its output (`OutputError`) and keeps
its checkpoint (`CheckpointError`).
"""

from __future__ import annotations

#: A server, or a proxy before it, that says "not now": queue full, bad gateway, unavailable, gateway timeout.
TEMPORARY_STATUSES = frozenset({429, 502, 503, 504})


class ClientError(Exception):
    """Base of everything this package raises on purpose; its text is one sentence or a few.

    Attributes:
        is_temporary: Whether the same request may well succeed a little later.
        retry_after_s: How long the server asks to wait before the next try, in s; None when it does not say.
    """

    is_temporary = False
    retry_after_s: float | None = None


class InputFileError(ClientError):
    """A file cannot be sent as a job's inputs; nothing was sent."""


class InputError(ClientError):
    """The input of a backfill cannot be read, or does not fit the model."""


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
        status: int,
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


class JobUnfinished(ClientError):
    """The job has not ended yet, so it has no result."""


class JobFailed(ClientError):
    """The job ended without a result: it failed, was cancelled or expired."""


class OutputError(ClientError):
    """A backfill's output or error file cannot be written, or is not what it was; what the checkpoint has stays."""


class CheckpointError(ClientError):
    """A backfill's checkpoint cannot be used: damaged, in use, of another version, or of another run."""


class AnswerError(ClientError):
    """An answer cannot be printed or saved as asked; it stays on the server."""
