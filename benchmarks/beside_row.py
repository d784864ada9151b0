"""The row about people's own requests while a backfill of pictures runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.backfill import Task, command
from benchmarks.backfill_rows import ask_one_by_one, picture_task
from benchmarks.contestants.celeriac.adapter import CELERIAC
from benchmarks.errors import BenchmarkError
from benchmarks.http_system import Served, serving
from benchmarks.partner import Partner
from benchmarks.process import Process
from benchmarks.rig import Rig
from benchmarks.verdict import Measure, RowResult, Samples

MODEL = "small"

#: Beside two batches: what a busy machine may take.
_ALLOWANCE_MS = 20.0

#: Meanwhile a backfill finds its size of job.
_SETTLING_S = 5.0

_START_S = 120.0
_TAG = "backfill"


@dataclass(frozen=True)
class Pair:
    """One client's latencies in ms without a backfill and beside one, and how long a batch of the backfill takes."""

    alone: dict[str, Any]
    beside: dict[str, Any]
    batch_ms: float

    @property
    def growth_ms(self) -> float:
        """How much longer one of 100 requests takes, less two batches."""
        growth: float = self.beside["p99_ms"] - self.alone["p99_ms"] - 2 * self.batch_ms
        return growth


def backfill_beside(rig: Rig) -> RowResult:
    """The p99 of a client with one picture at a time, beside a backfill of pictures, over that without."""
    rig.broker.empty()
    pairs: list[Pair] = []
    with rig.picture_loop(MODEL) as loop:
        task = picture_task(rig, loop, "beside", rig.plan.beside_pictures)
    with serving(rig, CELERIAC, MODEL) as served, rig.one_by_one() as client:
        for _ in range(rig.plan.pairs):
            pairs.append(_measure(rig, client, served, task))
    rig.broker.empty()
    growth = Samples("ms", tuple(one.growth_ms for one in pairs), digits=1)
    measures = (Measure("p99 beside less p99 alone less two batches", growth, at_most=_ALLOWANCE_MS),)
    shown = {
        "alone": _details([one.alone for one in pairs]),
        "beside a backfill": _details([one.beside for one in pairs]),
        "backfill": {"batch": Samples("ms", tuple(one.batch_ms for one in pairs), digits=1)},
    }
    answers = sum(one.alone["answers"] + one.beside["answers"] for one in pairs)
    return RowResult("backfill-beside", measures, f"all {answers:,} answers equal the in-process model's", shown)


def _measure(rig: Rig, client: Partner, served: Served, task: Task) -> Pair:
    """First without, then beside."""
    asked = replace(task, inputs=rig.models / "pictures")
    alone = ask_one_by_one(rig, client, served, asked, rig.plan.beside_jobs)
    with _running(rig, client, served, task) as process:
        beside = ask_one_by_one(rig, client, served, asked, rig.plan.beside_jobs)
        process.check()
        batch_ms = _batch(client, served)["batch_ms"]
    _await_idle(client, served)
    return Pair(alone, beside, batch_ms)


@contextlib.contextmanager
def _running(rig: Rig, client: Partner, served: Served, task: Task) -> Iterator[Process]:
    """A backfill on its way; it is stopped as a user stops it."""
    output, into = rig.folder / "beside.npz", rig.folder / "beside.json"
    earlier = _batch(client, served)["newest"]
    with command(rig, served, task, output, into, ("--restart", "--tag", _TAG)) as process:
        deadline_s = time.monotonic() + _START_S
        while _batch(client, served)["newest"] == earlier:
            process.check()
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f"The backfill has brought nothing within {_START_S:.0f} s.")
            time.sleep(0.2)
        time.sleep(_SETTLING_S)
        yield process


def _batch(client: Partner, served: Served) -> dict[str, Any]:
    return client.ask("batch", url=served.url, model=MODEL, tag=_TAG)


def _await_idle(client: Partner, served: Served) -> None:
    """What the backfill has left is worked off."""
    deadline_s = time.monotonic() + _START_S
    while client.ask("waiting", url=served.url, model=MODEL)["jobs"]:
        if time.monotonic() > deadline_s:
            raise BenchmarkError(f"Jobs of the backfill are still there after {_START_S:.0f} s.")
        time.sleep(0.2)


def _details(loads: list[dict[str, Any]]) -> dict[str, Samples]:
    return {
        "p50": Samples("ms", tuple(one["p50_ms"] for one in loads), digits=1),
        "p99": Samples("ms", tuple(one["p99_ms"] for one in loads), digits=1),
        "rate": Samples("requests/s", tuple(one["rows_per_s"] for one in loads)),
    }
