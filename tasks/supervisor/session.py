"""The processes of one session: all that supervisord started, and what those started, unless it left on purpose.

A session's id is the process id of its leader; no new process gets it as long as the session has members.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_LOOK_EVERY_S = 0.05

#: SIGKILL needs no longer, except for a process that hangs in the kernel and that nobody can end.
_KILL_S = 5.0


def leader_lives(session: int) -> bool:
    """Whether the process that made the session still runs."""
    try:
        return os.getsid(session) == session and not _is_zombie(session)
    except ProcessLookupError:
        return False


def members(session: int) -> list[int]:
    """The process ids of a session; those that have ended and wait to be reaped are not counted.

    Without /proc (other systems than Linux) it finds none.
    """
    pids = (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    return [pid for pid in pids if (fields := _stat(pid)) and fields[0] != "Z" and int(fields[3]) == session]


def end(session: int, grace_s: float) -> None:
    """End what lives in the session: SIGTERM, and SIGKILL for what still lives after `grace_s`."""
    _signal(session, signal.SIGTERM)
    if not _await_empty(session, grace_s):
        kill(session)


def kill(session: int) -> None:
    """End what lives in the session with SIGKILL."""
    deadline_s = time.monotonic() + _KILL_S
    while members(session) and time.monotonic() < deadline_s:
        # Again and again: a member may have forked in between.
        _signal(session, signal.SIGKILL)
        time.sleep(_LOOK_EVERY_S)


def _await_empty(session: int, limit_s: float) -> bool:
    deadline_s = time.monotonic() + limit_s
    while members(session):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _signal(session: int, number: signal.Signals) -> None:
    for pid in members(session):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_zombie(pid: int) -> bool:
    return _stat(pid)[:1] == ["Z"]


def _stat(pid: int) -> list[str]:
    """State, parent, process group, session and so on (proc(5)); empty when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    # The program's name stands before them in brackets, and may hold blanks and brackets itself.
    return text.rpartition(")")[2].split()
