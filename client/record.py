"""A job's record as the server tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from client.errors import JobCancelled, JobExpired, JobFailed, JobUnfinished, UnexpectedReply

STATUSES = ("queued", "running", "succeeded", "failed", "cancelled", "expired")
#: These never change.
TERMINAL = frozenset(STATUSES[2:])

_ENDED_WITHOUT_RESULT = {
    "failed": "It failed; the server did not say why.",
    "cancelled": "It was cancelled.",
    "expired": "It expired: its deadline passed before it ran.",
}


@dataclass(frozen=True)
class JobRecord:
    """One job at one moment.

    Attributes:
        id: The job's id.
        status: queued, running, succeeded, failed, cancelled or expired; the last four never change.
        failure: Why it failed, a sentence; None unless it did.
        body: The whole record as the server sent it.
    """

    id: str
    status: str
    failure: str | None
    body: Mapping[str, Any]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> JobRecord:
        """The job in an answer of the API.

        Raises:
            UnexpectedReply: The answer has no id or no status.
        """
        job_id, status = body.get("id"), body.get("status")
        if not isinstance(job_id, str) or not isinstance(status, str):
            raise UnexpectedReply("Expected a job with an id and a status; the answer has none. Is this a Celeriac?")
        return cls(job_id, status, (body.get("failure") or {}).get("message"), body)

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.body.get("model", ""))

    @property
    def is_finished(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL

    def require_result(self) -> None:
        """Return only when the job succeeded.

        Raises:
            JobUnfinished: It is queued or running.
            JobFailed: It ended without a result; the sentence says why.
        """
        if not self.is_finished:
            raise JobUnfinished(f"Job {self.id} is {self.status}, not finished; ask again later, or wait for it.")
        if self.status in _ENDED_WITHOUT_RESULT:
            reason = self.failure or _ENDED_WITHOUT_RESULT[self.status]
            name = (self.body.get("failure") or {}).get("type") or f"job_{self.status}"
            kind = {"cancelled": JobCancelled, "expired": JobExpired}.get(self.status, JobFailed)
            raise kind(f"Job {self.id} has no result. {reason}", job_id=self.id, type=name)
