"""The job: one client's request for one model, as a frozen record; standard library only."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

#: Stored with each record, so that a later version can read an older one.
SCHEMA_VERSION = 1


class Status(StrEnum):
    """Where a job is. The last four are terminal and never change."""

    QUEUED = "queued"  #: recorded and waiting for a worker
    RUNNING = "running"  #: a worker has it; `attempt` counts from 1
    SUCCEEDED = "succeeded"  #: the result is kept for `result_ttl_s`
    FAILED = "failed"  #: `failure_type` and `failure_message` say why
    CANCELLED = "cancelled"  #: its client did not want it any more
    EXPIRED = "expired"  #: its deadline passed before it ran


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.EXPIRED})


class Lane(StrEnum):
    """Which of a model's two lists a job waits in."""

    INTERACTIVE = "interactive"  #: somebody waits for the answer
    BULK = "bulk"  #: runs when no interactive job waits


class FailureType(StrEnum):
    """Why a job failed; stable names for clients."""

    INVALID_INPUT = "invalid_input"  #: the input does not fit the model
    MODEL_ERROR = "model_error"  #: the model could not compute this input
    OUT_OF_MEMORY = "out_of_memory"  #: the worker's memory did not suffice
    POISONED = "poisoned"  #: its worker died, or had to be ended, each time that it ran
    RECORD_MISSING = "record_missing"  #: a message came for a job that nobody recorded
    RESULT_TOO_LARGE = "result_too_large"  #: more than the job store can hold
    VERSION_NOT_SERVED = "version_not_served"  #: it asked for a version that was replaced while it waited
    WORKER_ERROR = "worker_error"  #: something else went wrong in the worker; its log says what


@dataclass(frozen=True)
class Failure:
    """Why a job failed; the message is a sentence for its client and never holds a traceback."""

    type: FailureType
    message: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job's record as Redis holds it. Times are µs since 1970 by Redis's clock; None: not yet."""

    id: str
    model: str
    version: int  #: the one that its input was checked for; once it has ended, the one that ran
    pinned: bool = False  #: its client asked for this version, or for the label, and no other
    label: str = ""  #: the label by which it has its version; empty: the version was asked for, or it has the default
    status: Status = Status.QUEUED
    schema: int = SCHEMA_VERSION
    owner: str = ""  #: the API key's name; empty without keys
    lane: Lane = Lane.INTERACTIVE
    tag: str = ""
    signature: str = ""  #: of the model, by name; empty: its default one
    content_type: str = ""  #: of the input payload
    rows: int = 1
    min_score: float | None = None  #: detectors: the least score of a detection that is answered
    max_detections: int | None = None  #: detectors: the most detections of a picture that are answered
    annotate: bool = False  #: detectors: also draw the boxes
    expires_in_s: float | None = None  #: not run later than this after its submission
    idempotency: str = ""  #: digest of the key that makes a repeated submission this job; empty: none
    callback_url: str = field(default="", repr=False)  #: what is told of its end; may hold secrets; empty: nobody
    request: str = ""  #: with an idempotency: digest of what was asked for
    created_at_us: int | None = None
    started_at_us: int | None = None
    finished_at_us: int | None = None
    delivery: int = 0  #: how often a worker took it; the fencing token
    attempt: int = 0  #: how often the model was about to run it
    worker: str = ""
    compute_ms: float | None = None  #: time in the model
    failure_type: str = ""
    failure_message: str = ""
    retry_of: str = ""  #: id of the job whose input it runs once more

    @property
    def is_finished(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL

    @property
    def queue_ms(self) -> float | None:
        """Time between submission and the start of the latest attempt, in ms."""
        if self.created_at_us is None or self.started_at_us is None:
            return None
        return (self.started_at_us - self.created_at_us) / 1000

    def retry(self, job_id: str) -> Job:
        """A new job of the same client, model and parameters, for the same input."""
        return Job(
            id=job_id,
            model=self.model,
            version=self.version,
            pinned=self.pinned,
            label=self.label,
            owner=self.owner,
            lane=self.lane,
            tag=self.tag,
            signature=self.signature,
            content_type=self.content_type,
            rows=self.rows,
            min_score=self.min_score,
            max_detections=self.max_detections,
            annotate=self.annotate,
            expires_in_s=self.expires_in_s,
            callback_url=self.callback_url,
            retry_of=self.id,
        )

    def to_hash(self) -> dict[str, str | int | float]:
        """The fields that have a value and are not false, as Redis stores them; the id is the key's."""
        return {
            name: int(value) if value is True else value
            for name, value in vars(self).items()
            if name != "id" and value is not None and value is not False and value != ""
        }

    @classmethod
    def from_hash(cls, job_id: str, stored: Mapping[bytes, bytes]) -> Job:
        """The record read back from Redis; fields of a later schema are passed over."""
        values: dict[str, Any] = {"id": job_id}
        for f in fields(cls):
            raw = stored.get(f.name.encode())
            if raw is not None:
                values[f.name] = _READERS[str(f.type)](raw.decode())
        return cls(**values)


_READERS: Mapping[str, Any] = {
    "str": str,
    "int": int,
    "int | None": int,
    "float | None": float,
    "bool": lambda text: text == "1",
    "Status": Status,
    "Lane": Lane,
}


def new_job_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7): 48 bits of ms since 1970, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    bits = bits & ~(0xF << 76) | (0x7 << 76)
    bits = bits & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=bits))


def id_time_s(job_id: str) -> float | None:
    """When a job id was made, in s since 1970; None when it is no id of ours."""
    try:
        parsed = uuid.UUID(job_id)
    except ValueError:
        return None
    # str() refuses the other spellings that UUID() accepts: braces, urn:, no dashes, capitals.
    if parsed.version != 7 or str(parsed) != job_id:
        return None
    return (parsed.int >> 80) / 1000


def may_be_gone(job_id: str, now_s: float, result_ttl_s: int) -> bool:
    """Whether a job without a record may have existed and outlived its lifetime.

    A record stays at least `result_ttl_s` after the id was made, so a younger id without one was never submitted.
    """
    made_at_s = id_time_s(job_id)
    return made_at_s is not None and made_at_s + result_ttl_s <= now_s
