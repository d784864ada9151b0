"""How the serving process ends: soon after it is told to, and not later than the process that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time

from api.waiting import Waiters

_STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})

#: Between two signals to a process whose parent has ended.
_AGAIN_S = 1.0


def stop_with_parent() -> None:
    """Have this process stop, as if told by SIGTERM, when the one that started it ends, however that happens."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        # More than once: until the server has its handler, that of the process it was forked from forgets the signal.
        while True:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(_AGAIN_S)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def close_at_stop(waiters: Waiters) -> None:
    """Let long polls go when SIGTERM or SIGINT comes. To be called in the main thread.

    The signals' handlers are the server's; the wake-up descriptor tells of a signal beside them.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)

    def watch() -> None:
        while os.read(heard, 1)[0] not in _STOP_SIGNALS:
            pass
        waiters.close()

    threading.Thread(target=watch, name="stop-watch", daemon=True).start()
