"""The library's user with one job at a time: submit, wait, fetch. `python -m benchmarks.one_by_one` serves."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.serving import serve
from client.celeriac import Celeriac

#: The records of so many of the latest jobs say how long a batch takes.
_LOOKED_AT_JOBS = 50


def ask(url: str, model: str, inputs: str, jobs: int, into: str) -> dict[str, Any]:
    """So many jobs of one row, or of one picture.

    Args:
        url: of the server.
        model: its name.
        inputs: rows, `.npy`, or a folder of pictures; sent in turn.
        jobs: how many.
        into: where the answers go, `.npy`.

    Returns:
        The seconds of all, and their latencies.
    """
    wanted, latencies_s, answers = _inputs(Path(inputs)), [], []
    with Celeriac(url) as client:
        for number in range(jobs):
            began_s = perf_counter()
            outputs = client.submit(model, wanted[number % len(wanted)]).result(arrays=True)
            latencies_s.append(perf_counter() - began_s)
            answers.append(next(iter(outputs.values()))[0])
    np.save(into, np.asarray(answers, "float32"))
    p50, p99 = np.percentile(latencies_s, [50, 99]) * 1000
    return {"seconds": sum(latencies_s), "p50_ms": p50, "p99_ms": p99}


def batch(url: str, model: str, tag: str) -> dict[str, Any]:
    """How long the worker computed each of the latest jobs with a tag, the middle one, and which of them is newest."""
    with Celeriac(url) as client:
        records = [job.record for job in islice(client.jobs(model=model, tag=tag), _LOOKED_AT_JOBS)]
    times_ms = {record["id"]: record["compute_ms"] for record in records if record.get("compute_ms")}
    return {"batch_ms": median(times_ms.values()) if times_ms else 0.0, "newest": next(iter(times_ms), None)}


def waiting(url: str, model: str) -> dict[str, Any]:
    """How many jobs wait or run."""
    with Celeriac(url) as client:
        return {"jobs": sum(1 for status in ("queued", "running") for _ in client.jobs(model=model, status=status))}


def _inputs(path: Path) -> list[Any]:
    if path.is_dir():
        return [file.read_bytes() for file in sorted(path.iterdir())]
    return [row[None] for row in np.load(path)]


if __name__ == "__main__":
    serve({"ask": ask, "batch": batch, "waiting": waiting})
