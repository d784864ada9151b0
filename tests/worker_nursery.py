"""Workers that start in about a second: `python -m tests.worker_nursery` imports TensorFlow once and forks.

TensorFlow hangs after a fork once it has run an operation, not when it has only been imported; a nursery runs none,
opens no connection and has one thread. Each forked worker then goes through Celery's own main function, as
`celery -A tasks.app worker` does. Reads a JSON line for each worker, and answers its pid.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

#: What a worker imports anyway.
_HEAVY = ("tensorflow", "keras", "model_store.loader", "celery.bin.celery", "celery.apps.worker", "tasks.transport")


class Nursery:
    """The test's side."""

    def __init__(self, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.worker_nursery"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, queue: str, name: str, log: Path) -> int:
        """Start a worker; gives its pid."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([queue, name, str(log)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the nursery; workers are the caller's to end."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)


def _serve() -> None:
    for module in _HEAVY:
        importlib.import_module(module)
    assert threading.active_count() == 1
    # The dead are nobody's to ask for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _become_worker(*json.loads(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _become_worker(queue: str, name: str, log: str) -> Any:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((0, nothing), (1, output), (2, output)):
        os.dup2(new, old)
    from celery.bin.celery import main

    sys.argv = ["celery", "-A", "tasks.app", "worker", "-Q", queue, "-n", name, "-l", "INFO", "--without-mingle"]
    sys.exit(main())


if __name__ == "__main__":
    _serve()
