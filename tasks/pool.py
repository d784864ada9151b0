"""The workers' pool: everything in one process, because TensorFlow does not survive a fork."""

from __future__ import annotations

import logging
from typing import Any

from celery.concurrency.solo import TaskPool

logger = logging.getLogger(__name__)


class Pool(TaskPool):
    """Celery's solo pool; `revoke(terminate=True)` is answered instead of failing."""

    def terminate_job(self, pid: int, signal: Any = None) -> None:
        """Nothing can be ended inside the one process; Celery has the job's record say `cancelled` all the same."""
        logger.warning("The model cannot be stopped amid a batch; the answer of the terminated job is thrown away.")
