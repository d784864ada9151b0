"""The rows about backfills: how fast they are, how much memory they have, and what people beside them feel."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.backfill_inputs import write_pictures, write_rows
from benchmarks.backfill_run import Filled, command, fill
from benchmarks.contestant import ROOT
from benchmarks.contestants.celeriac.adapter import CELERIAC
from benchmarks.errors import BenchmarkError
from benchmarks.http_system import Load, Served, run_load, serving
from benchmarks.partner import Partner
from benchmarks.rig import Rig
from benchmarks.verdict import Measure, RowResult, Samples, ratios, wrong_answers
from client import Celeriac

_MIB = 1024 * 1024
(_WAY,) = CELERIAC.ways

#: Decoders round differently, and so do networks then.
_TOLERANCE = 0.05


def backfill_rows(rig: Rig) -> RowResult:
    """Rows/s of a backfill, over those of submitting and waiting one by one with the same client."""
    rig.broker.empty()
    given, output = rig.folder / "rows.npy", rig.folder / "rows.npz"
    write_rows(rig.inputs("tiny"), rig.plan.backfill_rows, given)
    fills: list[Filled] = []
    one_by_one: list[float] = []
    with serving(rig, CELERIAC, "tiny") as served:
        for _ in range(rig.plan.pairs):
            one_by_one.append(_one_by_one(rig, served))
            fills.append(_fill(rig, served, "tiny", given, output))
            _check(rig, "tiny", output)
    measures = (Measure("one by one", ratios([one.rows_per_s for one in fills], one_by_one), at_least=50),)
    details = {"backfill": _details(fills), "one by one": {"rate": Samples("rows/s", tuple(one_by_one))}}
    return RowResult("backfill-rows", measures, "all answers equal the in-process model's", details)


def backfill_pictures(rig: Rig) -> RowResult:
    """Rows/s of a backfill of JPEGs, over those of a loop in one process."""
    rig.broker.empty()
    folder, output, expected = rig.folder / "pictures", rig.folder / "pictures.npz", rig.folder / "loop.npy"
    write_pictures(rig.inputs("small"), rig.plan.backfill_pictures, folder)
    fills: list[Filled] = []
    loops: list[float] = []
    with serving(rig, CELERIAC, "small") as served, _loop(rig) as loop:
        for _ in range(rig.plan.pairs):
            loops.append(loop.ask("loop", folder=str(folder), width=96, height=96, into=str(expected))["rows_per_s"])
            fills.append(_fill(rig, served, "small", folder, output))
    apart = float(np.abs(np.load(expected) - _answers(output)).mean())
    if apart > _TOLERANCE:
        raise BenchmarkError(f"The backfill's answers are {apart:.3f} from the loop's on average.")
    measures = (Measure("the loop in one process", ratios([one.rows_per_s for one in fills], loops), at_least=0.80),)
    details = {"backfill": _details(fills), "loop": {"rate": Samples("rows/s", tuple(loops))}}
    return RowResult("backfill-pictures", measures, f"answers are {apart:.4f} from the loop's on average", details)


def backfill_memory(rig: Rig) -> RowResult:
    """Peak memory over a hundred times as many rows."""
    rig.broker.empty()
    sizes = (rig.plan.backfill_many_rows // 100, rig.plan.backfill_many_rows)
    fills: dict[int, list[Filled]] = {rows: [] for rows in sizes}
    with serving(rig, CELERIAC, "tiny") as served:
        for rows in sizes:
            write_rows(rig.inputs("tiny"), rows, rig.folder / f"{rows}.npy")
        for _ in range(rig.plan.pairs):
            for rows in sizes:
                output = rig.folder / f"{rows}.npz"
                fills[rows].append(_fill(rig, served, "tiny", rig.folder / f"{rows}.npy", output))
                _check(rig, "tiny", output)
    few, many = ([float(one.peak_bytes) for one in fills[rows]] for rows in sizes)
    measures = (Measure(f"{sizes[1]:,} rows over {sizes[0]:,}", ratios(many, few), at_most=1.2),)
    details = {f"{rows:,} rows": _details(own) for rows, own in fills.items()}
    return RowResult("backfill-memory", measures, "all answers equal the in-process model's", details)


def backfill_beside(rig: Rig) -> RowResult:
    """How much later an interactive job is answered while a backfill runs, beyond two batches: the p99's."""
    rig.broker.empty()
    folder = rig.folder / "beside"
    write_pictures(rig.inputs("small"), rig.plan.backfill_pictures, folder)
    alone: list[Load] = []
    beside: list[Load] = []
    batches_ms: list[float] = []
    with serving(rig, CELERIAC, "small") as served, rig.load_generator() as client:
        total = rig.plan.http_one_client
        run_load(rig, client, served, _WAY, "small", 1, rig.plan.http_warm_up)
        for _ in range(rig.plan.pairs):
            batches_ms.append(_batch_ms(rig, served))
            alone.append(run_load(rig, client, served, _WAY, "small", 1, total))
            with _Filling(rig, served, folder):
                beside.append(run_load(rig, client, served, _WAY, "small", 1, total))
    growths = [after.p99_ms - before.p99_ms for before, after in zip(alone, beside, strict=True)]
    beyond = tuple(growth - 2 * batch for growth, batch in zip(growths, batches_ms, strict=True))
    measures = (Measure("p99's growth beyond two batches", Samples("ms", beyond, digits=1), at_most=20),)
    details = {
        "alone": {"p99": Samples("ms", tuple(one.p99_ms for one in alone), digits=1)},
        "beside a backfill": {"p99": Samples("ms", tuple(one.p99_ms for one in beside), digits=1)},
        "a full batch": {"computed in": Samples("ms", tuple(batches_ms), digits=1)},
    }
    return RowResult("backfill-beside", measures, "all interactive answers equal the in-process model's", details)


class _Filling:
    """A backfill that goes on as long as its block, over the same pictures again and again."""

    def __init__(self, rig: Rig, served: Served, folder: Path) -> None:
        argv = command("small", folder, rig.folder / "beside.npz", served.port)
        loop = "import subprocess, sys\nwhile True: subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)"
        self._argv = [sys.executable, "-c", loop, *argv]
        self._log = rig.folder / "beside.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, cwd=ROOT, stderr=log, process_group=0)
        # Until it has begun, and found out how many pictures a job gets.
        time.sleep(5.0)

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        subprocess.run(["kill", "-KILL", f"-{self._process.pid}"], check=True)
        self._process.wait()


def _fill(rig: Rig, served: Served, model: str, given: Path, output: Path) -> Filled:
    return fill(command(model, given, output, served.port), rig.environment(model), rig.folder / "backfill.log")


def _one_by_one(rig: Rig, served: Served) -> float:
    rows = np.load(rig.inputs("tiny"))[: rig.plan.backfill_one_by_one]
    with Celeriac(f"http://127.0.0.1:{served.port}") as client:
        began_s = time.perf_counter()
        for row in rows:
            client.submit("tiny", row[None]).result()
        return len(rows) / (time.perf_counter() - began_s)


def _batch_ms(rig: Rig, served: Served) -> float:
    """How long the model computes a full batch when nobody else is there."""
    with Celeriac(f"http://127.0.0.1:{served.port}") as client:
        rows = np.load(rig.inputs("small"))[: int(client.model("small")["batching"]["max_batch_size"])]
        jobs = [client.submit("small", rows).wait() for _ in range(5)]
    return statistics.median(float(job.record["compute_ms"]) for job in jobs)


def _loop(rig: Rig) -> Partner:
    argv = [sys.executable, "-m", "benchmarks.picture_loop"]
    return Partner(argv, rig.environment("small"), rig.folder / "picture-loop.log")


def _answers(output: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with np.load(output) as members:
        (name,) = (name for name in members.files if name != "id")
        answers: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = members[name]
    return answers


def _check(rig: Rig, model: str, output: Path) -> None:
    wrong = wrong_answers(np.load(rig.models / f"{model}-answers.npy"), _answers(output))
    if wrong:
        raise BenchmarkError(f"{wrong} answers of the backfill of {model} are not the in-process model's.")


def _details(fills: list[Filled]) -> dict[str, Samples]:
    return {
        "rate": Samples("rows/s", tuple(one.rows_per_s for one in fills)),
        "peak memory": Samples("MiB", tuple(one.peak_bytes / _MIB for one in fills)),
    }
