"""What is to be done with rows whose job brought no answer. Pure."""

from __future__ import annotations

from enum import Enum, auto

from client.backfill.error_file import Failure
from client.errors import ApiError, TooLarge
from client.record import JobRecord

#: One row of a job may have brought it about: the halves are tried, until the rows at fault stand alone.
_OF_SOME_ROW = frozenset(
    {"invalid_input", "model_error", "out_of_memory", "poisoned", "result_too_large", "worker_error"}
)

#: Fewer rows at once may do. (Where the memory does not suffice, the worker itself has tried fewer.)
_OF_SIZE = frozenset({"body_too_large", "result_too_large"})

#: Of the job and not of its rows: another one may fare better.
_OF_THE_JOB = frozenset({"idempotency_key_reused", "job_gone", "job_not_found", "record_missing", "result_gone"})

#: By somebody, or the clock.
_ENDED = frozenset({"job_cancelled", "job_expired"})

#: A job that is lost so often is lost for a reason.
_MOST_TRIES = 5


class Verdict(Enum):
    """What becomes of the rows."""

    CUT = auto()  #: each half is a new job
    AGAIN = auto()  #: all of them are a new job
    FAIL = auto()  #: they have no answer, and never will
    STOP = auto()  #: so would all others fare: the run is over


def judge(failure: Failure, rows: int, tries: int, is_resumed: bool) -> Verdict:
    """What to do after a failure.

    Args:
        failure: The API's name for it, and its sentence.
        rows: How many rows the job had.
        tries: How often these rows were submitted anew.
        is_resumed: Whether the job was an earlier process's, and may have waited for a resume too long.
    """
    if failure.type in _ENDED and is_resumed:
        return Verdict.AGAIN
    if failure.type in _OF_THE_JOB:
        return Verdict.AGAIN if tries < _MOST_TRIES else Verdict.FAIL
    if failure.type in _OF_SOME_ROW or failure.type in _OF_SIZE:
        return Verdict.CUT if rows > 1 else Verdict.FAIL
    return Verdict.FAIL if failure.type in _ENDED else Verdict.STOP


def is_of_size(failure: Failure) -> bool:
    """Whether jobs should be smaller from here on."""
    return failure.type in _OF_SIZE


def refusal(error: ApiError) -> Failure:
    """Why a job was not taken, or is not to be had."""
    kind = "body_too_large" if isinstance(error, TooLarge) else error.type
    return Failure(kind or f"http_{error.status}", str(error))


def end_without_answer(record: JobRecord) -> Failure:
    """Why a job has ended without an answer."""
    if record.status != "failed":
        sentence = "It was cancelled." if record.status == "cancelled" else "Its deadline passed before it ran."
        return Failure(f"job_{record.status}", sentence)
    failure = record.body.get("failure") or {}
    return Failure(str(failure.get("type", "failed")), str(failure.get("message", "The server did not say why.")))
