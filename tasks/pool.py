"""The workers' pool: everything in one process, because TensorFlow does not survive a fork."""

from __future__ import annotations

import logging
from typing import Any

from celery.concurrency.solo import TaskPool

logger = logging.getLogger(__name__)


class Pool(TaskPool):
    """Celery's solo pool; `revoke(terminate=True)` is answered instead of failing."""

    def terminate_job(self, pid: int, signal: Any = None) -> None:
        """A job cannot be ended inside the one process; its record is cancelled and its answer thrown away."""
        logger.warning("A running job cannot be terminated; its answer will be thrown away.")
