"""A callback's record and its attempts, as frozen values; standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

#: The latest attempts are kept, so many of them.
ATTEMPTS_KEPT = 20

#: What stands before an attempt's number in the name of its field.
ATTEMPT_FIELD = "attempt:"


class CallbackStatus(StrEnum):
    """Where a callback is. The last two are settled; only who asks for it anew changes that."""

    WAITING = "waiting"  #: its job has not ended; nothing is recorded yet
    DUE = "due"  #: it is tried, or will be
    ACCEPTED = "accepted"  #: its receiver has answered 2xx
    GIVEN_UP = "given_up"  #: it was tried as often as it may be, or its receiver answered 410


#: Those that are recorded.
RECORDED = (CallbackStatus.DUE, CallbackStatus.ACCEPTED, CallbackStatus.GIVEN_UP)


class Trouble(StrEnum):
    """Why an attempt got no answer; stable names for clients."""

    ADDRESS_REFUSED = "address_refused"  #: the receiver's name leads to an address that may not be called
    CONNECTION_FAILED = "connection_failed"  #: nobody listens there, or the connection broke
    INTERNAL = "internal"  #: a defect of Celeriac's; the log of the callbacks' worker has the place
    NAME_NOT_FOUND = "name_not_found"  #: the receiver's name has no address
    NO_HTTP = "no_http"  #: what came is no HTTP answer, or has a longer head than is read
    NO_SECRET = "no_secret"  #: the operator has taken the secret away by which it would be signed
    SPENT = "spent"  #: not made: attempts before it were cut off, and were as many as there may be
    TIMED_OUT = "timed_out"  #: it was not over in time
    TLS_FAILED = "tls_failed"  #: the certificate is not the receiver's, or is not trusted


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One POST of a callback. Without `took_ms` it is under way, or was cut off with its worker."""

    number: int
    started_at_us: int  #: by Redis's clock, µs since 1970
    took_ms: float | None = None
    status_code: int | None = None  #: of the receiver's answer
    trouble: Trouble | None = None  #: why there is none

    def to_field(self) -> bytes:
        """As Redis stores it; the number is in the field's name."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "number"}).encode()

    @classmethod
    def from_field(cls, number: int, stored: bytes) -> Attempt:
        """The attempt read back."""
        values: dict[str, Any] = json.loads(stored)
        trouble = values.pop("trouble", None)
        return cls(number=number, trouble=None if trouble is None else Trouble(trouble), **values)


@dataclass(frozen=True, kw_only=True)
class Callback:
    """A job's callback as it is now."""

    job_id: str
    url: str = field(repr=False)  #: may hold secrets
    status: CallbackStatus = CallbackStatus.WAITING
    number: int = 0  #: of attempts that were begun
    due_at_us: int | None = None  #: of the next one, or of the one under way
    attempts: tuple[Attempt, ...] = ()  #: the latest ones, in order

    @classmethod
    def from_hash(cls, job_id: str, url: str, stored: Mapping[bytes, bytes]) -> Callback:
        """The record read back; of a job that has not ended there is none."""
        if not stored:
            return cls(job_id=job_id, url=url)
        status = CallbackStatus(stored[b"status"].decode())
        return cls(
            job_id=job_id,
            url=url,
            status=status,
            number=int(stored[b"number"]),
            due_at_us=int(stored[b"due_at_us"]) if status is CallbackStatus.DUE else None,
            attempts=_attempts(stored),
        )


def _attempts(stored: Mapping[bytes, bytes]) -> tuple[Attempt, ...]:
    start = ATTEMPT_FIELD.encode()
    numbers = sorted(int(name.removeprefix(start)) for name in stored if name.startswith(start))
    return tuple(Attempt.from_field(number, stored[start + b"%d" % number]) for number in numbers)
