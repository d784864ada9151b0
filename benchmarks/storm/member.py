"""A process of the storm's system: started, struck, and started again whenever it has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from benchmarks.process import Process

#: A process that ends sooner than this after its start is not started again before.
_RESTART_PAUSE_S = 1.0

#: How long a process may take to end after SIGTERM before it is killed, and counted as stubborn.
STOP_LIMIT_S = 20.0


class Member:
    """One process under one name for the whole storm. All methods belong to the thread that makes it.

    Args:
        name: of its log, too.
        argv: the command.
        environment: see `Process`.
        logs: a folder; each life has a log of its own.

    Attributes:
        lives: how often it was started.
        stubborn: how often it did not end within `STOP_LIMIT_S` of SIGTERM.
    """

    def __init__(self, name: str, argv: list[str], environment: Mapping[str, str], logs: Path) -> None:
        self.name = name
        self.lives = 0
        self.stubborn = 0
        # The kernel kills it when the storm is killed: it is started from the main thread, which lives as long.
        self._argv = [sys.executable, "-m", "tasks.supervisor.leash", "KILL", str(os.getpid()), "--", *argv]
        self._environment = environment
        self._logs = logs
        self._process: Process | None = None
        self._started_s = 0.0
        self._told_s: float | None = None

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Begin a life."""
        self.lives += 1
        self._process = Process(self._argv, self._environment, self._logs / f"{self.name}.{self.lives}.log")
        self._process.__enter__()
        self._started_s, self._told_s = time.monotonic(), None

    def revive(self) -> None:
        """Start it again if it has ended."""
        assert self._process
        now_s = time.monotonic()
        if self._process.has_ended():
            if now_s - self._started_s > _RESTART_PAUSE_S:
                self.start()
        elif self._told_s is not None and now_s - self._told_s > STOP_LIMIT_S:
            self.stubborn += 1
            self._told_s = None
            self.signal(signal.SIGKILL)

    def restart(self) -> bool:
        """Ask it to end; `revive` starts it again. Says whether it lived."""
        self._told_s = time.monotonic()
        return self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> bool:
        """Signal the process itself, without its children; says whether it lived."""
        assert self._process
        if self._process.has_ended():
            return False
        os.kill(self.pid, number)
        return True

    def children(self) -> list[psutil.Process]:
        """Its living children."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).children()
        return []

    def alone(self) -> list[psutil.Process]:
        """The process itself; nothing when it has ended."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [psutil.Process(self.pid)]
        return []

    def stop(self) -> None:
        """End it for good, with its children."""
        if self._process:
            self.signal(signal.SIGCONT)
            self._process.stop()
