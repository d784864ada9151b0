"""The in-process limit: the bare model fed from memory, at its best batch size. `python -m benchmarks.limit` serves.

What a queue could give if it cost nothing: the same file, one compiled function, batches ready in memory, each copied
in and its outputs copied out. It is measured beside each drain, as processors get faster and slower within minutes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bare_model import Array, load_compiled
from benchmarks.serving import serve

BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def measure(predict: Callable[[Array], Array], rows: Array, seconds: float, largest: int) -> list[dict[str, float]]:
    """Rows/s and CPU time for a row, in µs, at each batch size.

    Args:
        predict: the model.
        rows: what it is fed with; repeated to fill a batch.
        seconds: at least this long, and at least twice, for each size.
        largest: no batch is larger.
    """
    return [_measure_size(predict, _batch(rows, size), seconds) for size in BATCH_SIZES if size <= largest]


def best(sizes: Sequence[dict[str, float]]) -> dict[str, float]:
    """The size with most rows/s."""
    return max(sizes, key=lambda one: one["rows_per_s"])


def _measure_size(predict: Callable[[Array], Array], batch: Array, seconds: float) -> dict[str, float]:
    predict(batch)
    calls, started_s, cpu_s = 0, time.perf_counter(), time.process_time()
    while calls < 2 or time.perf_counter() - started_s < seconds:
        predict(batch)
        calls += 1
    rows = calls * len(batch)
    taken_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    return {"batch_size": len(batch), "rows_per_s": rows / taken_s, "cpu_us": cpu_s / rows * 1e6}


def _batch(rows: Array, size: int) -> Array:
    return np.ascontiguousarray(rows[np.arange(size) % len(rows)])


def main() -> None:
    """Serve measurements of the model in `BENCH_MODEL_FILE`."""
    predict = load_compiled(Path(os.environ["BENCH_MODEL_FILE"]), None)

    def answer(inputs: str, seconds: float, largest: int) -> dict[str, Any]:
        sizes = measure(predict, np.load(inputs), seconds, largest)
        return {"best": best(sizes), "sizes": sizes}

    serve({"measure": answer})


if __name__ == "__main__":
    main()
