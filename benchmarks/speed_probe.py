"""Times the model as Celeriac runs it beside its user's own call: `python -m benchmarks.speed_probe` serves.

All in one process, with the threads of a worker, in turn: the processor's mood falls on both alike. CPU time is
counted, as other processes do not disturb it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import own_calls
from benchmarks.bare_model import Array
from benchmarks.own_calls import Call
from benchmarks.serving import serve
from model_store.device import place
from model_store.loader import load
from model_store.located_model import locate_model
from model_store.model import Model
from model_store.spec import SPEC_FILE_NAME, DeviceSpec
from model_store.tuning.file import TuningFiles
from model_store.tuning.plan import TuningPlan

#: A worker's threads on two cores, with two batches at once.
CPU_THREADS = 1
OURS = "Celeriac"
MOST_ROWS = 32
#: The least of these counts: what else runs on the processor empties its caches, which costs CPU time too.
SLICES = 6


class Probe:
    """One model as files of all formats, each as Celeriac runs it and as its user does."""

    def __init__(self, file: Path, rows: Array, tuning_limit_s: float) -> None:
        self._rows = rows
        self._calls: dict[str, dict[str, Call]] = {}
        self.variants: dict[str, str] = {}
        with TemporaryDirectory() as folder:
            store = Path(folder)
            # So many rows are one call, as they are for the user.
            (store / SPEC_FILE_NAME).write_text(f"[batching]\nmax_batch_size = {MOST_ROWS}\n")
            saved_model, graph = own_calls.write_others(file, store)
            (store / "keras").mkdir()
            keras_file = Path(copy(file, store / "keras"))
            self._add("Keras file", keras_file, own_calls.keras_calls(file), tuning_limit_s)
            self._add("SavedModel", saved_model, own_calls.saved_model_calls(saved_model), tuning_limit_s)
            self._add("frozen graph", graph, own_calls.frozen_graph_calls(graph), tuning_limit_s)

    def _add(self, title: str, artifact: Path, calls: Mapping[str, Call], tuning_limit_s: float) -> None:
        model = load(locate_model(artifact).stored)
        model.warm_up(TuningPlan(artifact, TuningFiles((), ""), tuning_limit_s))
        self.variants[title] = model.tuning.choice.variant
        self._calls[title] = {OURS: _as_call(model), **calls}

    def measure(self, rows: int, seconds: float) -> dict[str, dict[str, float]]:
        """CPU time a call in µs, by file and way, each way called for at least so many seconds, in slices by turns."""
        batch = np.ascontiguousarray(self._rows[np.arange(rows) % len(self._rows)])
        return {title: _measure(title, calls, batch, seconds / SLICES) for title, calls in self._calls.items()}


def _as_call(model: Model) -> Call:
    (name,), (output,) = model.signature.inputs, model.signature.outputs
    return lambda rows: model.predict({name: rows})[output]


def _measure(title: str, calls: Mapping[str, Call], batch: Array, slice_s: float) -> dict[str, float]:
    wanted = calls[OURS](batch)
    for way, call in calls.items():
        if not np.allclose(call(batch), wanted, rtol=1e-3, atol=1e-3):
            raise ValueError(f"{way} of the {title} gives other answers than Celeriac")
    slices = [{way: _cpu_us(call, batch, slice_s) for way, call in calls.items()} for _ in range(SLICES)]
    return {way: min(one[way] for one in slices) for way in calls}


def _cpu_us(call: Call, batch: Array, seconds: float) -> float:
    calls, until_s, began_s = 0, time.perf_counter() + seconds, time.process_time()
    while not calls or time.perf_counter() < until_s:
        call(batch)
        calls += 1
    return (time.process_time() - began_s) / calls * 1e6


def main() -> None:
    """Serve measurements of the model in `BENCH_MODEL_FILE`."""
    place(DeviceSpec(cpu_threads=CPU_THREADS))
    probes: list[Probe] = []

    def prepare(inputs: str, tuning_limit_s: float) -> dict[str, Any]:
        probes.append(Probe(Path(os.environ["BENCH_MODEL_FILE"]), np.load(inputs), tuning_limit_s))
        return {"variants": probes[0].variants}

    def measure(rows: int, seconds: float) -> dict[str, Any]:
        return {"cpu_us": probes[0].measure(rows, seconds)}

    serve({"prepare": prepare, "measure": measure})


if __name__ == "__main__":
    main()
