"""The workers' pool: everything in one process, because TensorFlow does not survive a fork."""

from __future__ import annotations

import logging
from typing import Any

from celery.concurrency.solo import TaskPool

logger = logging.getLogger(__name__)


class Pool(TaskPool):
    """Celery's solo pool; `revoke(terminate=True)` is answered instead of failing."""

    def terminate_job(self, pid: int, signal: Any = None) -> None:
        """Nothing can be ended inside the one process; control commands are heard between jobs only."""
        logger.warning("A running job cannot be terminated; cancel it over HTTP, and its answer is thrown away.")
