"""One `celeriac up` for each CELERIAC_VAR."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tasks.supervisor.errors import AlreadyRunning


def lock(var: Path) -> int:
    """Claim the folder; the file descriptor that holds the claim.

    The claim lasts until every process that has this descriptor is gone. supervisord and the guard get it too, so
    that the next `up` does not begin while they still stop the services of a killed one.

    Raises:
        AlreadyRunning: another one has the folder.
    """
    var.mkdir(parents=True, exist_ok=True)
    file = os.open(var / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(file, 32).decode().strip()
        os.close(file)
        raise AlreadyRunning(
            f"Another `celeriac up` (process {holder or 'unknown'}) runs, or still stops, with CELERIAC_VAR={var}. "
            "Stop it, or set CELERIAC_VAR to another folder."
        ) from None
    os.ftruncate(file, 0)
    os.write(file, f"{os.getpid()}\n".encode())
    return file


def unlock(file: int) -> None:
    """Let go of this process's part of the claim."""
    os.close(file)
