"""One `celeriac backfill`, measured: rows/s, memory, and what it costs in each process. Its answers are checked."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.http_system import Served
from benchmarks.process import Process
from benchmarks.rig import Rig
from benchmarks.verdict import Samples

#: Longer than any takes.
TIMEOUT_S = 1800.0

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Task:
    """What is brought through which model.

    Attributes:
        model: its name.
        inputs: a file, or a folder of pictures.
        rows: how many there are.
        answers: whose answers these are: the model's name, or "pictures".
    """

    model: str
    inputs: Path
    rows: int
    answers: str


@dataclass(frozen=True)
class Backfill:
    """One backfill's figures: rows/s, the command's greatest memory, and the CPU time for a row, in µs."""

    rows_per_s: float
    peak_bytes: float
    client_us: float
    web_us: float
    worker_us: float
    broker_us: float
    answers: int


def backfill(rig: Rig, served: Served, task: Task) -> Backfill:
    """From the command's start to its end, what Python imports included."""
    output, into = rig.folder / "backfill.npz", rig.folder / "backfill.json"
    processes = (served.web, served.worker, rig.broker.process)
    before_s = [one.cpu_s() for one in processes]
    began_s = time.perf_counter()
    with command(rig, served, task, output, into) as process:
        process.wait(TIMEOUT_S)
    seconds = time.perf_counter() - began_s
    spent = (one.cpu_s() - before for one, before in zip(processes, before_s, strict=True))
    web_us, worker_us, broker_us = (cpu_s / task.rows * 1e6 for cpu_s in spent)
    told = json.loads(into.read_text())
    answers = rig.check_rows("celeriac backfill", task.answers, _answers(output))
    client_us = told["cpu_s"] / task.rows * 1e6
    return Backfill(task.rows / seconds, told["peak_bytes"], client_us, web_us, worker_us, broker_us, answers)


def command(
    rig: Rig, served: Served, task: Task, output: Path, into: Path, options: Sequence[str] = ("--restart",)
) -> Process:
    """The command, not started yet."""
    what = ["backfill", str(task.inputs), "--model", task.model, "--output", str(output), *options]
    argv = [sys.executable, "-m", "benchmarks.measured_command", str(into), *what, "--url", served.url]
    return Process(argv, rig.environment(task.model), rig.folder / "backfill.log")


def details(runs: Sequence[Backfill]) -> dict[str, Samples]:
    """What is shown of them."""
    return {
        "rate": Samples("rows/s", tuple(one.rows_per_s for one in runs)),
        "command's CPU": Samples("µs a row", tuple(one.client_us for one in runs)),
        "HTTP server CPU": Samples("µs a row", tuple(one.web_us for one in runs)),
        "worker CPU": Samples("µs a row", tuple(one.worker_us for one in runs)),
        "broker CPU": Samples("µs a row", tuple(one.broker_us for one in runs)),
        "command's peak memory": Samples("MiB", tuple(one.peak_bytes / _MIB for one in runs), digits=1),
    }


def _answers(output: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with np.load(output, allow_pickle=False) as found:
        (name,) = set(found.files) - {"id"}
        rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = found[name]
        return rows
