"""A worker that is told a second time to stop, or to quit, ends at once; leases give its jobs to another.

Celery's own way there needs the event loop, which no longer runs while the worker finishes its batch, and a pool that
can be terminated (`celery/apps/worker.py`, read in 5.7.0). It sends `worker_shutting_down` from its handler of the
first signal, after it has set its own handlers for the next.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

from celery import platforms, signals


@signals.worker_ready.connect
def heed_quit(**_: Any) -> None:
    """From now on SIGQUIT ends the process."""
    platforms.signals["SIGQUIT"] = end_now


@signals.worker_shutting_down.connect
def heed_second(**_: Any) -> None:
    """The worker stops; the next signal ends the process."""
    for name in ("SIGTERM", "SIGINT", "SIGQUIT"):
        platforms.signals[name] = end_now


def end_now(number: int, _frame: Any) -> NoReturn:
    """End the process without another word to the broker, with a shell's exit code for the signal."""
    os.write(2, b"The worker ends at once; jobs that it held go to another worker when their leases are over.\n")
    os._exit(128 + number)
