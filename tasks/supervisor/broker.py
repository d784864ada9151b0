"""The broker as the supervisor sees it: where it is, whether it answers, what it knows of the models."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence

import redis

from tasks.broker import connect
from tasks.broker_address import broker_url
from tasks.errors import BrokerAddressUnknown
from tasks.model_memory import Demand, ModelMemory
from tasks.model_registry import LiveWorker, ModelRecord, ModelRegistry
from tasks.settings import Settings


def worker_name(model: str) -> str:
    """What Celery makes of `-n MODEL@%h`."""
    return f"{model}@{socket.gethostname()}"


class Broker:
    """A client that follows the embedded server when that moves to another port.

    The methods about models raise BrokerUnavailable or BrokerAddressUnknown when it cannot be asked.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: redis.Redis | None = None
        #: The address last used, password included; empty before the first use.
        self.url = ""

    def refuse_unusable_url(self) -> None:
        """Check REDIS_URL without connecting.

        Raises:
            SettingsError: no client can be made of it.
        """
        connect(self._settings.redis_url or "redis://", self._settings.sentinel_master).close()

    def answers(self) -> bool:
        """Whether it answers a PING now."""
        try:
            return bool(self._connected().ping())
        except (redis.RedisError, BrokerAddressUnknown):
            return False

    def expect(self, models: Iterable[str]) -> None:
        """Say which models this system serves; `/readyz` waits for them."""
        self._registry().expect(models)

    def workers(self, model: str) -> list[LiveWorker]:
        """The live workers that this machine's supervisor started for a model."""
        name = worker_name(model)
        records = [record for record in self._registry().all() if record.name == model]
        return [worker for record in records for worker in record.workers if worker.name == name]

    def retire_workers(self, model: str) -> None:
        """Take back what an ended worker said of itself; it would pass for live until its heartbeat is too old."""
        for worker in self.workers(model):
            self._registry().retire(model, worker)

    def give_up(self, model: str, reason: str) -> str:
        """Say that nobody tries to start a model any more; the reason kept, the worker's own if it gave one."""
        own = [record.failure for record in self._registry().all() if record.name == model]
        kept = next(filter(None, own), reason)
        self._registry().give_up(model, kept)
        return kept

    def models(self) -> dict[str, ModelRecord]:
        """What is known of each model."""
        return {record.name: record for record in self._registry().all()}

    def demand(self, models: Sequence[str]) -> dict[str, Demand]:
        """The load on each of these models."""
        return ModelMemory(self._connected()).demand(models)

    def publish_memory(self, waits_for: Mapping[str, str | None], memory_bytes: Mapping[str, int]) -> None:
        """See ModelMemory.publish."""
        ModelMemory(self._connected()).publish(waits_for, memory_bytes)

    def close(self) -> None:
        """Give its connections back."""
        if self._client is not None:
            self._client.close()

    def _registry(self) -> ModelRegistry:
        return ModelRegistry(self._connected())

    def _connected(self) -> redis.Redis:
        url = broker_url(self._settings)
        if self._client is None or url != self.url:
            self.close()
            self._client, self.url = connect(url, self._settings.sentinel_master), url
        return self._client
