"""`celeriac backfill` as a process: how long it took, and how much memory it had at most."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestant import ROOT
from benchmarks.errors import BenchmarkError


@dataclass(frozen=True)
class Filled:
    """One backfill.

    Attributes:
        rows_per_s: From the start of the process to its end.
        peak_bytes: Most resident memory.
    """

    rows_per_s: float
    peak_bytes: int


def command(model: str, given: Path, output: Path, port: int, *options: str) -> list[str]:
    """The command line; it begins anew each time."""
    words = ["backfill", str(given), "--model", model, "--output", str(output), "--restart", "--json", *options]
    return [sys.executable, "-c", "from client.cli import main; main()", *words, "--url", f"http://127.0.0.1:{port}"]


def fill(argv: list[str], environment: Mapping[str, str], log: Path) -> Filled:
    """Run it to its end.

    Raises:
        BenchmarkError: not all rows have answers.
    """
    began_s = time.perf_counter()
    with log.open("ab") as errors:
        process = subprocess.Popen(
            argv, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    told = process.stdout.read()
    # Of this child alone; `wait` would throw it away.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    duration_s = time.perf_counter() - began_s
    if process.returncode:
        raise BenchmarkError(f"The backfill ended with {process.returncode}; {log} says why.")
    return Filled(json.loads(told)["done"] / duration_s, usage.ru_maxrss * 1024)
