"""What is known of each model, in Redis: its card, its live workers, why it failed. No model file is needed to read it.

The card is what `model_store` says of a loaded model (`Model.describe`), with what `tasks.versions.report` adds on its
versions. Workers publish it when ready and again with each heartbeat; it has no lifetime. Liveness has: a worker that
was not heard of for `LIVE_S` counts as gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, cast

import redis

from model_store.store import MODEL_NAME
from tasks import keys
from tasks.broker import broker_errors, server_time_us
from tasks.errors import ModelUnknown
from tasks.job import Status
from tasks.queues import model_of, queue_of

#: A worker says that it lives every `HEARTBEAT_S`, and counts as live for `LIVE_S` after the last word.
HEARTBEAT_S = 5.0
LIVE_S = 15.0


class ModelStatus(StrEnum):
    """Whether a model's jobs are being run."""

    READY = "ready"  #: a live worker has it loaded and warmed up
    LOADING = "loading"  #: the supervisor starts it
    FAILED = "failed"  #: its worker could not start; `failure` says why
    EVICTED = "evicted"  #: its worker gave way to others'; a job brings it back, `waits_for` says when
    OFFLINE = "offline"  #: no worker now; jobs are accepted and wait


@dataclass(frozen=True)
class LiveWorker:
    """A worker that has the model ready.

    Attributes:
        name: Its name.
        pid: Its process.
        version: The version that jobs get that name none.
        device: What TensorFlow computes on.
        versions: All that it has loaded.
        labels: Label to version, as it serves them.
    """

    name: str
    pid: int
    version: int
    device: str
    versions: Sequence[int] = ()
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelRecord:
    """A model as the rest of the system sees it. `card` is None until a worker was ready once.

    `waits_for` and `memory_bytes` are the supervisor's, see `tasks.model_memory`. Of one that is `paused` jobs are
    accepted, and none begins.
    """

    name: str
    card: Mapping[str, Any] | None
    workers: tuple[LiveWorker, ...]
    failure: str | None
    gave_up: bool
    expected: bool
    waits_for: str | None = None
    memory_bytes: int | None = None
    paused: bool = False

    @property
    def status(self) -> ModelStatus:
        """Ready, failed, evicted, loading or offline."""
        if self.workers:
            return ModelStatus.READY
        if self.failure or self.gave_up:
            return ModelStatus.FAILED
        if self.waits_for and self.expected:
            return ModelStatus.EVICTED
        return ModelStatus.LOADING if self.expected else ModelStatus.OFFLINE


@dataclass(frozen=True)
class QueueState:
    """The load on one model. `oldest_age_s` is the age of the oldest job that has not ended; None without one."""

    queued: int
    running: int
    oldest_age_s: float | None
    finished: Mapping[Status, int]
    paused: bool = False


class ModelRegistry:
    """Models in Redis. Every method raises BrokerUnavailable when Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def expect(self, names: Iterable[str]) -> None:
        """Say which models are to be served; what had failed before is forgotten."""
        wanted = list(names)
        with broker_errors():
            pipeline = self._redis.pipeline()
            pipeline.delete(keys.EXPECTED)
            for name in wanted:
                pipeline.sadd(keys.EXPECTED, name)
                pipeline.sadd(keys.MODELS, name)
                pipeline.hdel(keys.model(name), "failure", "gave_up", "waits_for")
            pipeline.execute()

    def publish_ready(self, card: Mapping[str, Any], worker: LiveWorker, instead_of: LiveWorker | None = None) -> None:
        """Say that a worker has the model ready, and still has it. Called every `HEARTBEAT_S`.

        Args:
            card: the model's.
            worker: as it is now.
            instead_of: as it was told before.
        """
        name = card["name"]
        with broker_errors():
            now_us = server_time_us(self._redis)
            pipeline = self._redis.pipeline()
            pipeline.sadd(keys.MODELS, name)
            pipeline.hset(keys.model(name), "card", json.dumps(card))
            pipeline.hdel(keys.model(name), "failure", "gave_up")
            pipeline.zremrangebyscore(keys.model_workers(name), 0, now_us - LIVE_S * 1e6)
            if instead_of is not None:
                pipeline.zrem(keys.model_workers(name), _member(instead_of))
            pipeline.zadd(keys.model_workers(name), {_member(worker): now_us})
            pipeline.execute()

    def publish_failure(self, name: str, reason: str) -> None:
        """Say why a worker of this model could not start."""
        self._publish_failure(name, {"failure": reason})

    def give_up(self, name: str, reason: str) -> None:
        """Say that nobody tries to start this model any more."""
        self._publish_failure(name, {"failure": reason, "gave_up": "1"})

    def retire(self, name: str, worker: LiveWorker) -> None:
        """Say that a worker ends."""
        with broker_errors():
            self._redis.zrem(keys.model_workers(name), _member(worker))

    def pause(self, name: str) -> None:
        """Have nobody claim a model's jobs until `resume`; those that a worker computes now end.

        Raises:
            ModelUnknown: nobody ever served or expected it.
        """
        self.get(name)
        with broker_errors():
            self._redis.sadd(keys.PAUSED, queue_of(name))

    def resume(self, name: str) -> None:
        """End a model's pause, if there is one; its workers look within a second.

        Raises:
            ModelUnknown: nobody ever served or expected it.
        """
        self.get(name)
        with broker_errors():
            self._redis.srem(keys.PAUSED, queue_of(name))

    def paused(self) -> frozenset[str]:
        """The models that are paused."""
        with broker_errors():
            queues = cast(set[bytes], self._redis.smembers(keys.PAUSED))
        return frozenset(name for queue in queues if (name := model_of(queue.decode())))

    def get(self, name: str) -> ModelRecord:
        """One model.

        Raises:
            ModelUnknown: nobody ever served or expected it; the sentence names the known ones.
        """
        # The name becomes part of keys, so what is no model's name must not get there.
        record = self._read([name])[0] if MODEL_NAME.fullmatch(name) else None
        if record is None:
            known = ", ".join(self._names()) or "none yet"
            raise ModelUnknown(f"There is no model {name[:80]!r}. Known models: {known}.")
        return record

    def all(self) -> list[ModelRecord]:
        """Every known model, by name."""
        return [record for record in self._read(self._names()) if record is not None]

    def _names(self) -> list[str]:
        with broker_errors():
            return sorted(name.decode() for name in cast(set[bytes], self._redis.smembers(keys.MODELS)))

    def _read(self, names: Sequence[str]) -> list[ModelRecord | None]:
        """The records in one round trip, None for names that nobody knows."""
        with broker_errors():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.time()
            for name in names:
                pipeline.sismember(keys.MODELS, name)
                pipeline.sismember(keys.EXPECTED, name)
                pipeline.hgetall(keys.model(name))
                pipeline.zrange(keys.model_workers(name), 0, -1, withscores=True)
                pipeline.sismember(keys.PAUSED, queue_of(name))
            (seconds, microseconds), *answers = pipeline.execute()
        live_since_us = seconds * 1_000_000 + microseconds - LIVE_S * 1e6
        parts = (answers[part::5] for part in range(5))
        return [
            _record(
                name,
                bool(expected),
                fields,
                [member for member, beat_us in workers if beat_us >= live_since_us],
                bool(paused),
            )
            if known
            else None
            for name, known, expected, fields, workers, paused in zip(names, *parts, strict=True)
        ]

    def queue_state(self, name: str) -> QueueState:
        """The load on one model, from indexes that are kept with each change of a job."""
        with broker_errors():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.zcard(keys.unfinished(name))
            pipeline.zcard(keys.running(name))
            pipeline.zrange(keys.unfinished(name), 0, 0, withscores=True)
            pipeline.hgetall(keys.finished(name))
            pipeline.sismember(keys.PAUSED, queue_of(name))
            pipeline.time()
            unfinished, running, oldest, finished, paused, (seconds, microseconds) = pipeline.execute()
        now_us = seconds * 1_000_000 + microseconds
        return QueueState(
            queued=max(unfinished - running, 0),
            running=running,
            oldest_age_s=(now_us - oldest[0][1]) / 1e6 if oldest else None,
            finished={Status(status.decode()): int(count) for status, count in finished.items()},
            paused=bool(paused),
        )

    def _publish_failure(self, name: str, fields: Mapping[str, str]) -> None:
        with broker_errors():
            pipeline = self._redis.pipeline()
            pipeline.sadd(keys.MODELS, name)
            pipeline.hset(keys.model(name), mapping=cast(Any, fields))
            pipeline.execute()


def _member(worker: LiveWorker) -> str:
    return json.dumps(asdict(worker), sort_keys=True)


def _worker(member: bytes) -> LiveWorker:
    values = json.loads(member)
    return LiveWorker(**values | {"versions": tuple(values.get("versions", ()))})


def _record(
    name: str, expected: bool, fields: Mapping[bytes, bytes], workers: Iterable[bytes], paused: bool
) -> ModelRecord:
    card, failure, waits_for = fields.get(b"card"), fields.get(b"failure"), fields.get(b"waits_for")
    return ModelRecord(
        name=name,
        card=json.loads(card) if card else None,
        workers=tuple(_worker(member) for member in workers),
        failure=failure.decode() if failure else None,
        gave_up=b"gave_up" in fields,
        expected=expected,
        waits_for=waits_for.decode() if waits_for else None,
        memory_bytes=int(fields[b"memory_bytes"]) if b"memory_bytes" in fields else None,
        paused=paused,
    )
