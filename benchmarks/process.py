"""A process of the benchmark's: in a session of its own, with its CPU time and memory, and always ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.errors import BenchmarkError

T = TypeVar("T")

#: How long a process may take to end by itself.
STOP_GRACE_S = 15.0

_LOG_LINES_SHOWN = 12


class Process:
    """Started by its `with` block and ended with it, children included.

    Args:
        argv: the command.
        environment: added to this process's own, whose settings of Celeriac are left out.
        log: where its output goes; stderr alone if it talks.
        talks: whether it answers lines, see `exchange`.
    """

    def __init__(self, argv: list[str], environment: Mapping[str, str], log: Path, talks: bool = False) -> None:
        self.name = log.stem
        self._argv = argv
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CELERIAC_")}
        self._environment = {**inherited, **environment}
        self._log = log
        self._talks = talks
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Process:
        pipe = subprocess.PIPE if self._talks else None
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._argv,
                env=self._environment,
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id, while it runs and after."""
        assert self._process
        return self._process.pid

    def has_ended(self) -> bool:
        """Whether the process, its children apart, has ended."""
        return self._process is None or self._process.poll() is not None

    def check(self) -> None:
        """Raise BenchmarkError when the process has ended."""
        if self.has_ended():
            code = None if self._process is None else self._process.returncode
            lines = self._log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
            raise BenchmarkError(f"{self.name} has ended with {code}. Its last words:\n" + "\n".join(lines))

    def wait(self, timeout_s: float) -> None:
        """Return when it has ended well.

        Raises:
            BenchmarkError: it has failed, or has not ended in time.
        """
        assert self._process
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{self.name} has not ended within {timeout_s:.0f} s.") from None
        if code:
            self.check()

    def exchange(self, line: str) -> str:
        """Write a line, wait for one.

        Raises:
            BenchmarkError: the process has ended.
        """
        self.check()
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._process.wait()
            self.check()
        return answer

    def cpu_s(self) -> float:
        """CPU seconds of the process and its living children so far, user and system."""
        return sum(self._of_family(lambda one: sum(one.cpu_times()[:2])))

    def rss_bytes(self) -> int:
        """Resident memory of the process and its living children."""
        return sum(self._of_family(lambda one: one.memory_info().rss))

    def stop(self) -> None:
        """End it and its children: politely, and if they do not hear, at once."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_GRACE_S)
        self._signal(signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _of_family(self, read: Callable[[psutil.Process], T]) -> Iterator[T]:
        """What `read` gives for the process and each child; one that ends meanwhile is passed over."""
        self.check()
        assert self._process
        leader = psutil.Process(self._process.pid)
        for one in (leader, *leader.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                yield read(one)
