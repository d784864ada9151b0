"""A contestant: how its worker is started, how its finished jobs are counted, and its virtual environment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class WorkerSetting:
    """What a worker is started for.

    `events` says whether it tells of each job on Celery's event channel; the others have no such thing.
    """

    model: str
    events: bool


@dataclass(frozen=True)
class Way:
    """A way to get an answer over HTTP.

    Attributes:
        title: as the table names it.
        path: where a `.npy` is posted; `{model}` stands for the model's name.
        poll_ms: how long a client waits before it asks again for a result that is not ready.
        query: what it adds to the address it asks.
    """

    title: str
    path: str
    poll_ms: float = 0.0
    query: str = ""


@dataclass(frozen=True)
class Contestant:
    """One job queue. Its folder `benchmarks/contestants/<name>` has `desk.py`, and `requirements.txt` if not ours.

    Attributes:
        name: its folder's.
        title: as its makers write it.
        worker: the worker's arguments after the interpreter, with the model loaded when it starts.
        finished: how many of so many submitted jobs have their answer; asks the broker for a count or two.
        web: arguments of its HTTP server, for a port; None where the benchmark has none.
        ways: how that server is asked; the first is what the docs show.
        is_ours: it runs in this environment.
    """

    name: str
    title: str
    worker: Callable[[WorkerSetting], list[str]]
    finished: Callable[[redis.Redis, str, int], int]
    web: Callable[[int], list[str]] | None = None
    ways: tuple[Way, ...] = ()
    is_ours: bool = False

    @property
    def requirements(self) -> Path:
        """The packages of its virtual environment."""
        return ROOT / "benchmarks" / "contestants" / self.name / "requirements.txt"

    def python(self, environments: Path) -> str:
        """Its interpreter."""
        return sys.executable if self.is_ours else str(environments / self.name / "bin" / "python")

    def install(self, environments: Path) -> str | None:
        """Make its virtual environment unless it is there; gives the reason where that fails."""
        if self.is_ours:
            return None
        folder = environments / self.name
        marker = folder / "installed"
        wanted = self.requirements.read_text() + (ROOT / "benchmarks" / "contestants" / "shared.txt").read_text()
        if marker.exists() and marker.read_text() == wanted:
            return None
        steps = (
            [sys.executable, "-m", "venv", str(folder)],
            [*_pip(folder), "install", "--quiet", "--requirement", str(self.requirements)],
        )
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True)
            if done.returncode:
                return (done.stderr or done.stdout).strip().splitlines()[-1]
        marker.write_text(wanted)
        return None

    def versions(self, environments: Path) -> dict[str, str]:
        """Versions of the packages in its environment."""
        listed = subprocess.run(
            [self.python(environments), "-m", "pip", "--disable-pip-version-check", "list", "--format", "freeze"],
            capture_output=True,
            text=True,
            check=True,
        )
        pairs = (line.partition("==") for line in listed.stdout.splitlines() if "==" in line)
        return {name: version for name, _, version in pairs}


def _pip(folder: Path) -> list[str]:
    return [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
