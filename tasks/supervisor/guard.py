"""Sweeps up after the supervisor: `python -m tasks.supervisor.guard SESSION LIMIT_S GRACE_S`, standard input a pipe.

The other end of the pipe is the front's alone, so it closes when the front ends, however that happens. supervisord
then stops the services in their order; what is left of its session when it is gone, the guard ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

from tasks.supervisor import session

_LOOK_EVERY_S = 0.05


def watch(supervisord: int, limit_s: float, grace_s: float) -> None:
    """Wait for the front's end, then see that nothing is left of supervisord's session.

    Args:
        supervisord: Its process id, which is its session's id.
        limit_s: How long it may take to stop the services.
        grace_s: How long what it left behind may take to stop.
    """
    os.read(0, 1)
    if session.leader_lives(supervisord):
        with suppress(ProcessLookupError):
            os.kill(supervisord, signal.SIGTERM)
    deadline_s = time.monotonic() + limit_s
    while session.leader_lives(supervisord) and time.monotonic() < deadline_s:
        time.sleep(_LOOK_EVERY_S)
    session.end(supervisord, grace_s)


if __name__ == "__main__":
    watch(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
