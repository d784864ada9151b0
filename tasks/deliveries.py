"""A worker's side of the job records: look at the jobs of claimed messages, begin them, end them; many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from tasks import keys
from tasks.broker import broker_errors
from tasks.job import Job
from tasks.queues import queue_of

_LUA = Path(__file__).parent / "lua"

#: Most jobs that begin in one step: a batch may have more than Lua unpacks values, some 8,000, and a script holds all
#: others up.
MOST_AT_ONCE = 1000

#: A job that has been about to run this often, and never ended, kills its workers.
MAX_ATTEMPTS = 3

TAKEN = "taken"  #: it is this worker's to run
LOST = "lost"  #: its message is another worker's meanwhile
MISSING = "missing"  #: nobody has recorded it
FOREIGN = "foreign"  #: it is another model's
DUPLICATE = "duplicate"  #: it is being run by another message of it
LATE = "late"  #: its deadline has passed
POISONED = "poisoned"  #: it had its attempts, and never ended
PAUSED = "paused"  #: its model is


@dataclass(frozen=True)
class Delivery:
    """A claimed message's job: the message's delivery tag, the token of its claim, the job's id."""

    tag: str
    token: str
    job_id: str


@dataclass(frozen=True)
class Look:
    """What was found of a job: `TAKEN` with record and input, or why it is not to be run here.

    Attributes:
        word: `TAKEN`, `LOST`, `MISSING`, `FOREIGN`, or its terminal status.
        job: What is needed of the record to run it.
        payload: Its input, raw.
    """

    word: str
    job: Job | None = None
    payload: bytes = b""


class Deliveries:
    """The jobs of one worker. Every method raises BrokerUnavailable when Redis does not answer.

    Args:
        client: of the broker, see `tasks.broker.connect`.
        model: the worker's.
        worker: its name.
    """

    def __init__(self, client: redis.Redis, model: str, worker: str) -> None:
        self._model = model
        self._worker = worker
        self._take = client.register_script((_LUA / "take.lua").read_text())
        self._begin = client.register_script((_LUA / "begin.lua").read_text())

    def take(self, deliveries: Sequence[Delivery], most_bytes: int) -> list[Look]:
        """Get what is needed to run each job. Nothing is written, so a worker that dies here has done nothing.

        Returns:
            A look at each, or at the first ones only, at least one, when the inputs of more have over `most_bytes`.
        """
        arguments = [text for given in deliveries for text in (given.tag, given.token, given.job_id)]
        with broker_errors():
            answers: list[list[Any]] = self._take(
                keys=[keys.OWNERS],
                args=[
                    keys.job(""),
                    keys.INPUT,
                    self._model,
                    most_bytes,
                    *arguments,
                ],
            )
        return [self._look(given.job_id, answer) for given, answer in zip(deliveries, answers, strict=False)]

    def begin(self, deliveries: Sequence[Delivery], run: str) -> list[int | str]:
        """Count the delivery and the attempt of each job: the model runs it next.

        Args:
            deliveries: those taken.
            run: any text of this one run; asking again with it, because the answer was lost, counts nothing twice.

        Returns:
            For each the number of its delivery, with which alone it can be ended by who runs it; or `LOST`,
            `DUPLICATE`, `MISSING`, `LATE`, `POISONED`, `PAUSED`, or its terminal status.
        """
        parts = [deliveries[start : start + MOST_AT_ONCE] for start in range(0, len(deliveries), MOST_AT_ONCE)]
        return [word for part in parts for word in self._begin_part(part, run)]

    def _begin_part(self, part: Sequence[Delivery], run: str) -> list[int | str]:
        arguments = [text for given in part for text in (given.tag, given.token, given.job_id)]
        with broker_errors():
            words: list[bytes] = self._begin(
                keys=[keys.OWNERS, keys.DEADLINES, keys.running(self._model), keys.PAUSED],
                args=[keys.job(""), self._worker, MAX_ATTEMPTS, run, queue_of(self._model), *arguments],
            )
        return [int(word) if word.isdigit() else word.decode() for word in words]

    def _look(self, job_id: str, answer: list[Any]) -> Look:
        if answer[0] != b"taken":
            return Look(answer[0].decode())
        _, attempt, version, pinned, content_type, rows, min_score, annotate, signature, most, label, payload = answer
        job = Job(
            id=job_id,
            model=self._model,
            version=int(version),
            pinned=pinned == b"1",
            label=label.decode() if label else "",
            content_type=content_type.decode() if content_type else "",
            rows=int(rows),
            min_score=None if min_score is None else float(min_score),
            max_detections=None if most is None else int(most),
            annotate=annotate == b"1",
            signature=signature.decode() if signature else "",
            worker=self._worker,
            attempt=int(attempt),
        )
        return Look(TAKEN, job, payload or b"")
