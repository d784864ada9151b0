"""`celeriac backfill` as a process: how long it took, and how much memory it had at most."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestant import ROOT
from benchmarks.errors import BenchmarkError

_LOOK_EVERY_S = 0.02


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
            argv, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    peak_bytes = 0
    while process.poll() is None:
        peak_bytes = _peak_bytes(process.pid) or peak_bytes
        time.sleep(_LOOK_EVERY_S)
    told, _ = process.communicate()
    duration_s = time.perf_counter() - began_s
    if process.returncode:
        raise BenchmarkError(f"The backfill ended with {process.returncode}; {log} says why.")
    return Filled(json.loads(told)["done"] / duration_s, peak_bytes)


def _peak_bytes(pid: int) -> int:
    """Most resident memory so far; 0 of a process that has ended.

    `ru_maxrss` would be no less than this process's own memory: it is handed down when the child is made.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
