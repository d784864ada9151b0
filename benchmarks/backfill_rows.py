"""The rows about `celeriac backfill`: how fast it is, how much memory it takes, and whom it keeps waiting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.backfill import Backfill, Task, backfill, details
from benchmarks.contestants.celeriac.adapter import CELERIAC
from benchmarks.http_system import Served, serving
from benchmarks.partner import Partner
from benchmarks.picture_files import link_pictures
from benchmarks.rig import Rig
from benchmarks.verdict import Measure, RowResult, Samples, ratios

#: Before the clock starts: the connection is open then, and the API has seen the model.
_WARM_UP_JOBS = 50


def backfill_tiny(rig: Rig) -> RowResult:
    """Rows/s over those of a client that submits, waits and fetches one row after the other."""
    rig.broker.empty()
    runs: list[Backfill] = []
    singles: list[dict[str, Any]] = []
    task = _tiny_task(rig, rig.plan.backfill_rows)
    with serving(rig, CELERIAC, task.model) as served, rig.one_by_one() as client:
        ask_one_by_one(rig, client, served, task, _WARM_UP_JOBS)
        for _ in range(rig.plan.pairs):
            singles.append(ask_one_by_one(rig, client, served, task, rig.plan.one_by_one_jobs))
            runs.append(backfill(rig, served, task))
    rig.broker.empty()
    rates = [one["rows_per_s"] for one in singles]
    measures = (Measure("one by one", ratios([one.rows_per_s for one in runs], rates), at_least=50),)
    shown = {"celeriac backfill": details(runs), "one by one": {"rate": Samples("rows/s", tuple(rates))}}
    answers = sum(one.answers for one in runs) + sum(one["answers"] for one in singles)
    return RowResult("backfill-tiny", measures, _checked(answers), shown)


def backfill_jpeg(rig: Rig) -> RowResult:
    """Pictures, rows/s over a loop that decodes and predicts in one process."""
    rig.broker.empty()
    runs: list[Backfill] = []
    loops: list[dict[str, Any]] = []
    with rig.picture_loop("small") as loop, serving(rig, CELERIAC, "small") as served:
        task = picture_task(rig, loop, "jpeg", rig.plan.backfill_pictures)
        for _ in range(rig.plan.pairs):
            loops.append(_run_loop(rig, loop, task))
            runs.append(backfill(rig, served, task))
    rig.broker.empty()
    share = ratios([one.rows_per_s for one in runs], [one["rows_per_s"] for one in loops])
    shown = {
        "celeriac backfill": details(runs),
        "in-process loop": {
            "rate": Samples("rows/s", tuple(one["rows_per_s"] for one in loops)),
            "CPU": Samples("µs a row", tuple(one["cpu_us"] for one in loops)),
        },
    }
    answers = sum(one.answers for one in runs) + sum(one["answers"] for one in loops)
    measures = (Measure("the in-process loop", share, at_least=0.80),)
    return RowResult("backfill-jpeg", measures, _checked(answers), shown)


def backfill_memory(rig: Rig) -> RowResult:
    """The command's greatest memory with many rows over that with few."""
    rig.broker.empty()
    few, many = (_tiny_task(rig, rows) for rows in rig.plan.backfill_memory_rows)
    runs: dict[int, list[Backfill]] = {few.rows: [], many.rows: []}
    with serving(rig, CELERIAC, few.model) as served:
        for _ in range(rig.plan.pairs):
            for task in (few, many):
                runs[task.rows].append(backfill(rig, served, task))
    rig.broker.empty()
    peaks = {rows: [one.peak_bytes for one in own] for rows, own in runs.items()}
    measures = (Measure(f"of {few.rows:,} rows", ratios(peaks[many.rows], peaks[few.rows]), at_most=1.2),)
    shown = {f"{rows:,} rows": details(own) for rows, own in runs.items()}
    answers = sum(one.answers for own in runs.values() for one in own)
    return RowResult("backfill-memory", measures, _checked(answers), shown)


def ask_one_by_one(rig: Rig, client: Partner, served: Served, task: Task, jobs: int) -> dict[str, Any]:
    """One load of a single client, with its answers checked: rates, latencies, and how many answers there were."""
    into = rig.folder / "one-by-one.npy"
    told = client.ask("ask", url=served.url, model=task.model, inputs=str(task.inputs), jobs=jobs, into=str(into))
    return {**told, "rows_per_s": jobs / told["seconds"], "answers": rig.check("one by one", task.answers, into)}


def picture_task(rig: Rig, loop: Partner, name: str, count: int) -> Task:
    """A folder with so many pictures."""
    pictures, folder = rig.models / "pictures", rig.folder / name
    loop.ask("prepare", pictures=str(pictures), answers=str(rig.models / "pictures-answers.npy"))
    link_pictures(pictures, folder, count)
    return Task("small", folder, count, "pictures")


def _run_loop(rig: Rig, loop: Partner, task: Task) -> dict[str, Any]:
    into = rig.folder / "picture-loop.npy"
    told = loop.ask("measure", pictures=str(task.inputs), into=str(into))
    return {**told, "answers": rig.check("the in-process loop", task.answers, into)}


def _tiny_task(rig: Rig, rows: int) -> Task:
    return Task("tiny", _repeated(rig.inputs("tiny"), rig.folder / f"{rows}-rows.npy", rows), rows, "tiny")


def _repeated(source: Path, file: Path, rows: int) -> Path:
    """So many rows: those of `source` over and over."""
    inputs = np.load(source)
    written = np.lib.format.open_memmap(file, "w+", inputs.dtype, (rows, *inputs.shape[1:]))
    for start in range(0, rows, len(inputs)):
        written[start : start + len(inputs)] = inputs[: rows - start]
    written.flush()
    return file


def _checked(answers: int) -> str:
    return f"all {answers:,} answers equal the in-process model's"
