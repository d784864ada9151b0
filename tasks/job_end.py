"""How a job ends: the one way to a terminal status, for clients, keeper and workers alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from tasks import keys
from tasks.broker import broker_errors
from tasks.callbacks.callback import CallbackStatus
from tasks.job import Failure, Status
from tasks.settings import QUARANTINE_TTL_S

_LUA = Path(__file__).parent / "lua"

#: Said of a job that has ended now. Else: `MISSING`, `STALE`, or the status that it had already.
DONE = "done"
MISSING = "missing"  #: there is no record of it
STALE = "stale"  #: it was given to another worker

#: Of inputs in one model's quarantine; beyond it the oldest are freed, and their records stay.
QUARANTINE_MOST_BYTES = 268_435_456

#: Redis copies a script's arguments, and answers nobody else meanwhile.
_MOST_JOBS_AT_ONCE = 500
_MOST_BYTES_AT_ONCE = 33_554_432


@dataclass(frozen=True, kw_only=True)
class End:
    """What becomes of one job.

    Attributes:
        delivery: The one that must still be the job's; None where it does not matter who has it.
        fields: Of the record, as Redis stores them.
        result: Its parts, see `tasks.result`.
    """

    job_id: str
    status: Status
    delivery: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Of the result."""
        return sum(map(len, self.result.values()))


def failure_fields(failure: Failure) -> dict[str, str]:
    """The fields of a record that say why the job failed."""
    return {"failure_type": failure.type, "failure_message": failure.message}


class JobEnds:
    """Ends jobs, each once. Raises BrokerUnavailable when Redis does not answer.

    Args:
        client: of the broker, see `tasks.broker.connect`.
        result_ttl_s: how long a job's record and result stay after its end.
        quarantine_ttl_s: how long a poisoned job's record and input do.
    """

    def __init__(self, client: redis.Redis, result_ttl_s: int, quarantine_ttl_s: int = QUARANTINE_TTL_S) -> None:
        self._result_ttl_s = result_ttl_s
        self._quarantine_ttl_s = quarantine_ttl_s
        self._finish = client.register_script((_LUA / "finish.lua").read_text())

    def end(self, model: str, ends: Sequence[End]) -> list[str]:
        """End jobs of one model, many in one step.

        Returns:
            For each `DONE`, or why nothing was written: `MISSING`, `STALE`, or the terminal status that it has.
        """
        words: list[str] = []
        for part in _parts(ends):
            arguments = [argument for end in part for argument in _arguments(end)]
            with broker_errors():
                answer: list[bytes] = self._finish(
                    keys=[
                        keys.unfinished(model),
                        keys.running(model),
                        keys.finished(model),
                        keys.DEADLINES,
                        keys.quarantine(model),
                        keys.input_bytes(model),
                        keys.CALLBACKS_DUE,
                    ],
                    args=[
                        keys.job(""),
                        keys.INPUT,
                        keys.RESULT,
                        keys.ENDED,
                        self._result_ttl_s,
                        self._quarantine_ttl_s,
                        keys.idempotency(""),
                        QUARANTINE_MOST_BYTES,
                        keys.CALLBACK,
                        keys.callbacks(CallbackStatus.DUE, ""),
                        *arguments,
                    ],
                )
            words += [word.decode() for word in answer]
        return words


def _arguments(end: End) -> list[Any]:
    fields = [text for pair in end.fields.items() for text in pair]
    parts = [text for pair in end.result.items() for text in pair]
    delivery = "" if end.delivery is None else end.delivery
    return [end.job_id, end.status, delivery, len(fields), *fields, len(parts), *parts]


def _parts(ends: Sequence[End]) -> list[list[End]]:
    """The ends in order, in parts that Redis can take at once."""
    parts: list[list[End]] = []
    size_bytes = 0
    for end in ends:
        size_bytes += end.size_bytes
        if not parts or len(parts[-1]) >= _MOST_JOBS_AT_ONCE or size_bytes > _MOST_BYTES_AT_ONCE:
            parts.append([])
            size_bytes = end.size_bytes
        parts[-1].append(end)
    return parts
