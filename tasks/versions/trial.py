"""Trying a version in a process of its own: a file that ends its process ends that one, and not the worker."""

from __future__ import annotations

import signal
import subprocess
import sys

from model_store.errors import LoadError

#: No model takes so long to be loaded and warmed up; one that does is refused while others go on.
TIMEOUT_S = 900
#: How `tasks.versions.trial_load` says that the model store refuses the version; the sentence is its last line.
REFUSED = 2


class Trial:
    """Tries versions, one at a time.

    Args:
        name: the model.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def run(self, number: int) -> str | None:
        """Load a version elsewhere, and warm it up.

        Returns:
            Why the model store refuses it; None where it was ready.

        Raises:
            LoadError: its process died of it, or was stopped.
        """
        command = [sys.executable, "-m", "tasks.versions.trial_load", self._name, str(number)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
            self._process = process
            if self._stopped:
                process.kill()
            output, _ = process.communicate()
        self._process = None
        lines = output.strip().splitlines() or [""]
        if process.returncode == REFUSED:
            return lines[-1]
        if process.returncode:
            raise LoadError(f"Version {number} was tried in a process of its own, which {_end(process.returncode)}.")
        return None

    def stop(self) -> None:
        """End the one that runs, and each that follows."""
        self._stopped = True
        if (process := self._process) is not None:
            process.kill()


def _end(code: int) -> str:
    if code == -signal.SIGALRM:
        return f"was not done after {TIMEOUT_S} s"
    if code < 0:
        reason = "; its memory may not have sufficed" if code == -signal.SIGKILL else ""
        return f"died by {signal.Signals(-code).name}{reason}"
    return f"ended itself with code {code}"
