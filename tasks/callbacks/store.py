"""Callbacks in Redis: hand out, begin, settle, ask for anew, look at. Each change of a record is one atomic step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import redis

from tasks import keys
from tasks.broker import broker_errors, server_time_us
from tasks.callbacks.callback import ATTEMPT_FIELD, ATTEMPTS_KEPT, RECORDED, Attempt, Callback, CallbackStatus
from tasks.job import Job
from tasks.queues import CALLBACK_QUEUE, queue_list

_LUA = Path(__file__).parent / "lua"

#: One that was handed out is begun within this time, unless its message or the worker that had it is gone.
PATIENCE_S = 60.0

#: Messages that may wait in the queue; what else is due waits in its index, where it costs less and is in order.
MOST_HANDED_OUT = 1000

#: Of results as they are stored; larger ones are not sent along.
MOST_RESULT_BYTES = 16_384

#: Entries of an index that are read at once.
_PAGE = 512


class Place(NamedTuple):
    """Where a callback stands among its owner's: what lies behind it ends earlier, or has a smaller id."""

    ends_us: int
    job_id: str


@dataclass(frozen=True)
class Begun:
    """An attempt that has begun.

    Attributes:
        number: Of the attempt, from 1.
        tries: How many of this round were begun, this one included.
        started_at_us: By Redis's clock, µs since 1970.
        job: The record of the job that ended.
        result: The parts of its result when they are small, see `tasks.result`; else none.
    """

    number: int
    tries: int
    started_at_us: int
    job: Job
    result: Mapping[str, bytes]


class CallbackStore:
    """Callbacks in Redis. Safe to share between threads. Every method raises BrokerUnavailable when Redis is away."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._hand_out = client.register_script((_LUA / "hand_out.lua").read_text())
        self._begin = client.register_script((_LUA / "begin.lua").read_text())
        self._settle = client.register_script((_LUA / "settle.lua").read_text())

    def hand_out(self, most: int = MOST_HANDED_OUT, patience_s: float = PATIENCE_S) -> list[tuple[str, int]]:
        """Take callbacks that are due, as long as fewer than `most` messages wait in their queue.

        Returns:
            For each its job's id and the number of attempts that were begun, which `begin` wants to know. One that is
            not begun within `patience_s` is handed out once more.
        """
        names = [keys.CALLBACKS_DUE, queue_list(CALLBACK_QUEUE, 0)]
        with broker_errors():
            handed = self._hand_out(keys=names, args=[keys.job(""), keys.CALLBACK, most, patience_s])
        return [(job_id.decode(), int(number)) for job_id, number in handed]

    def url(self, job_id: str, number: int) -> str | None:
        """Whom a callback goes to; None when it is gone, or another attempt was begun since `number` of them were."""
        with broker_errors():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hget(keys.job(job_id), "callback_url")
            pipeline.hget(keys.job_callback(job_id), "number")
            url, begun = cast(list[bytes | None], pipeline.execute())
        return url.decode() if url and begun == b"%d" % number else None

    def put_off(self, job_id: str, pause_s: float) -> None:
        """Let a callback that was handed out, and not begun, be due again in a while."""
        with broker_errors():
            due_at_us = server_time_us(self._redis) + int(pause_s * 1_000_000)
            self._redis.zadd(keys.CALLBACKS_DUE, {job_id: due_at_us}, xx=True)

    def begin(self, job_id: str, number: int, lease_s: float) -> Begun | None:
        """Begin an attempt; None when that is not to be done any more.

        Args:
            job_id: whose callback.
            number: how many attempts were begun when it was handed out; a message that comes twice begins one.
            lease_s: when the attempt is not settled within this time, the callback is due again.
        """
        with broker_errors():
            answer = self._begin(
                keys=[keys.job(job_id), keys.job_result(job_id), keys.job_callback(job_id), keys.CALLBACKS_DUE],
                args=[job_id, number, lease_s, MOST_RESULT_BYTES, ATTEMPTS_KEPT, ATTEMPT_FIELD],
            )
        if not answer:
            return None
        begun, round_, started_at_us, record, result = answer
        return Begun(
            number=begun,
            tries=begun - round_,
            started_at_us=int(started_at_us),
            job=Job.from_hash(job_id, _pairs(record)),
            result={part.decode(): data for part, data in _pairs(result).items()},
        )

    def settle(self, job: Job, attempt: Attempt, status: CallbackStatus, pause_s: float = 0.0) -> bool:
        """Write down an attempt and what becomes of the callback; `due` is in `pause_s`.

        Returns:
            Whether it was for this attempt to say: no, when it has taken so long that another one was begun.
        """
        return self._change(job, status, pause_s, str(attempt.number), attempt.to_field())

    def redeliver(self, job: Job) -> bool:
        """Begin another round, now; False when nothing is recorded, since the job has not ended or is gone."""
        return self._change(job, CallbackStatus.DUE, 0.0, "", b"")

    def get(self, job: Job) -> Callback:
        """The callback of a job that has one."""
        return self.find_many([job])[0]

    def find_many(self, jobs: Sequence[Job]) -> list[Callback]:
        """The callbacks of jobs that have one, in one round trip."""
        with broker_errors():
            pipeline = self._redis.pipeline(transaction=False)
            for job in jobs:
                pipeline.hgetall(keys.job_callback(job.id))
            stored = cast(list[Mapping[bytes, bytes]], pipeline.execute())
        return [Callback.from_hash(job.id, job.callback_url, one) for job, one in zip(jobs, stored, strict=True)]

    def due(self) -> int:
        """How many callbacks are due, now or later, of all owners."""
        with broker_errors():
            return int(self._redis.zcard(keys.CALLBACKS_DUE))

    def page(self, owner: str, statuses: Iterable[CallbackStatus], after: Place | None, most: int) -> list[Place]:
        """The callbacks of an owner with any of these statuses, those that ended last first.

        Args:
            owner: whose.
            statuses: of `RECORDED`.
            after: the last one of the page before; None: from the first.
            most: how many.
        """
        with broker_errors():
            indexes = [self._places(keys.callbacks(status, owner), after) for status in statuses]
            return list(islice(merge(*indexes, reverse=True), most))

    def _places(self, index: str, after: Place | None) -> Iterator[Place]:
        highest = "+inf" if after is None else str(after.ends_us)
        for offset in range(0, self._redis.zcard(index), _PAGE):
            entries = cast(
                list[tuple[bytes, float]],
                self._redis.zrange(
                    index, cast(Any, highest), cast(Any, "-inf"), desc=True, byscore=True, offset=offset, num=_PAGE,
                    withscores=True,
                ),
            )  # fmt: skip
            places = (Place(int(ends_us), job_id.decode()) for job_id, ends_us in entries)
            yield from (place for place in places if after is None or place < after)
            if len(entries) < _PAGE:
                return

    def _change(self, job: Job, status: CallbackStatus, pause_s: float, number: str, attempt: bytes) -> bool:
        indexes = [keys.callbacks(one, job.owner) for one in RECORDED]
        names = [keys.job_callback(job.id), keys.CALLBACKS_DUE, *indexes]
        args: list[Any] = [job.id, status, int(pause_s * 1_000_000), number, ATTEMPT_FIELD + number, attempt]
        with broker_errors():
            return bool(self._settle(keys=names, args=args))


def _pairs(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """A hash from its fields and values in turn."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
