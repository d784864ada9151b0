"""A worker's sign of life: a thread that keeps telling the registry that this worker has its model ready."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from tasks.errors import BrokerUnavailable
from tasks.model_registry import HEARTBEAT_S, LiveWorker, ModelRegistry

logger = logging.getLogger(__name__)

Report = Callable[[], tuple[Mapping[str, Any], LiveWorker]]


class Heartbeat:
    """Beats from `start` to `stop`, every `HEARTBEAT_S`, also while the model computes.

    A broker that is away is tried again with the next beat.

    Args:
        registry: where to.
        report: gives the model's card and the worker, as they are now.
    """

    def __init__(self, registry: ModelRegistry, report: Report) -> None:
        self._registry = registry
        self._report = report
        self._told: tuple[Mapping[str, Any], LiveWorker] | None = None
        self._due = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Say ready now, and go on saying it."""
        self._thread.start()

    def beat_now(self) -> None:
        """Say what has changed, without waiting for the next beat."""
        self._due.set()

    def stop(self) -> None:
        """Say that this worker ends."""
        self._stopping = True
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._told is not None:
            card, worker = self._told
            with suppress(BrokerUnavailable):
                self._registry.retire(card["name"], worker)

    def _beat(self) -> None:
        while not self._stopping:
            try:
                self._tell()
            except Exception as error:
                # Whatever it is, a worker that goes on without a heartbeat would pass for dead for good.
                logger.warning("No heartbeat: %s The next follows in %.0f s.", error, HEARTBEAT_S)
            self._due.wait(HEARTBEAT_S)
            self._due.clear()

    def _tell(self) -> None:
        card, worker = self._report()
        self._registry.publish_ready(card, worker, self._told[1] if self._told else None)
        self._told = card, worker
