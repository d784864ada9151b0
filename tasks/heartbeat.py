"""A worker's sign of life: a thread that keeps telling the registry that this worker has its model ready."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tasks.errors import BrokerUnavailable
from tasks.model_registry import HEARTBEAT_S, LiveWorker, ModelRegistry

logger = logging.getLogger(__name__)


class Heartbeat:
    """Beats from `start` to `stop`, every `HEARTBEAT_S`, also while the model computes.

    A broker that is away is tried again with the next beat.
    """

    def __init__(self, registry: ModelRegistry, card: Mapping[str, Any], worker: LiveWorker) -> None:
        self._registry = registry
        self._card = card
        self._worker = worker
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Say ready now, and go on saying it."""
        self._thread.start()

    def stop(self) -> None:
        """Say that this worker ends."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        with suppress(BrokerUnavailable):
            self._registry.retire(self._card["name"], self._worker)

    def _beat(self) -> None:
        while True:
            try:
                self._registry.publish_ready(self._card, self._worker)
            except Exception as error:
                # Whatever it is, a worker that goes on without a heartbeat would pass for dead for good.
                logger.warning("No heartbeat: %s The next follows in %.0f s.", error, HEARTBEAT_S)
            if self._stopping.wait(HEARTBEAT_S):
                return
