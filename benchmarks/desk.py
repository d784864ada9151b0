"""A contestant's producer and reader, in its own environment: `python -m benchmarks.desk NAME`.

The module `benchmarks.contestants.NAME.desk` has a class `Desk` with the two methods of `Desk` here.
"""

from __future__ import annotations

import importlib
import io
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from benchmarks.serving import serve

Array = np.ndarray[Any, Any]


class Desk(Protocol):
    """How a contestant's users submit and read."""

    def submit(self, rows: Sequence[Array]) -> None:
        """Submit a job for each row, an array with one row on axis 0; keep what is needed to read its answer."""

    def collect(self) -> Sequence[Sequence[float]]:
        """The answers of all jobs submitted since the last call, in order; each must have ended."""


def npy(row: Array) -> bytes:
    """A row as all contestants get it: the bytes of a `.npy`."""
    buffer = io.BytesIO()
    np.save(buffer, row, allow_pickle=False)
    return buffer.getvalue()


def main() -> None:
    """Serve one contestant's desk."""
    desk: Desk = importlib.import_module(f"benchmarks.contestants.{sys.argv[1]}.desk").Desk()

    waiting = 0

    def submit(inputs: str, jobs: int) -> dict[str, Any]:
        nonlocal waiting
        table = np.load(inputs)
        rows = [table[i % len(table)][None] for i in range(waiting, waiting + jobs)]
        waiting += jobs
        started_s, cpu_s = time.perf_counter(), time.process_time()
        desk.submit(rows)
        return {"seconds": time.perf_counter() - started_s, "cpu_s": time.process_time() - cpu_s}

    def collect(into: str) -> dict[str, Any]:
        nonlocal waiting
        waiting = 0
        answers = np.asarray(desk.collect(), "float32")
        np.save(into, answers)
        return {"answers": len(answers)}

    serve({"submit": submit, "collect": collect})


if __name__ == "__main__":
    main()
