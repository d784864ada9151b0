"""What every measurement needs: the broker, the model files, the contestants' processes and the right answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.broker import Broker
from benchmarks.contestant import ROOT, Contestant, WorkerSetting
from benchmarks.errors import BenchmarkError
from benchmarks.partner import Partner
from benchmarks.plan import Plan
from benchmarks.process import Process
from benchmarks.verdict import wrong_answers

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rig:
    """The place where one run measures.

    Attributes:
        plan: how much.
        cache: virtual environments and models, kept from run to run.
        folder: logs and the broker's data, of this run alone.
        broker: the one that all use.
        skipped: contestants that could not be installed, and why.
    """

    plan: Plan
    cache: Path
    folder: Path
    broker: Broker
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def models(self) -> Path:
        """Where the model files are."""
        return self.cache / "models"

    @property
    def store(self) -> Path:
        """Celeriac's model store."""
        return self.models / "store"

    def inputs(self, model: str) -> Path:
        """The model's input rows, `.npy`."""
        return self.models / f"{model}-inputs.npy"

    def build_models(self) -> None:
        """Write the model files that are not there yet, in a process of its own: this one stays without TensorFlow."""
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.model_files", str(self.models)],
            env={**os.environ, **self.environment("")},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise BenchmarkError(f"The models could not be built:\n{done.stderr[-2000:]}")

    def environment(self, model: str) -> dict[str, str]:
        """What a contestant's processes find in their environment."""
        return {
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "REDIS_URL": self.broker.url,
            "BENCH_MODEL": model,
            "BENCH_MODEL_FILE": str(self.store / model / "1" / "model.keras"),
            "CELERIAC_MODEL_STORE": str(self.store),
            "CELERIAC_VAR": str(self.folder / "var"),
        }

    def desk(self, who: Contestant, model: str) -> Partner:
        """The contestant's producer, not started yet."""
        argv = [who.python(self.cache), "-m", "benchmarks.desk", who.name]
        return Partner(argv, self.environment(model), self.folder / f"{who.name}-desk.log")

    def worker(self, who: Contestant, setting: WorkerSetting) -> Process:
        """The contestant's worker, not started yet."""
        argv = [who.python(self.cache), *who.worker(setting)]
        # Celeriac's workers go by this; plain Celery's have an option.
        events = {"CELERIAC_TASK_EVENTS": str(int(setting.events))}
        return Process(argv, self.environment(setting.model) | events, self.folder / f"{who.name}-worker.log")

    def web(self, who: Contestant, model: str, port: int) -> Process:
        """The contestant's HTTP server, not started yet."""
        if who.web is None:
            raise BenchmarkError(f"{who.title} has no HTTP server here.")
        environment = self.environment(model) | {"PORT": str(port)}
        return Process([who.python(self.cache), *who.web(port)], environment, self.folder / f"{who.name}-web.log")

    def limit(self, model: str) -> Partner:
        """The bare model, not started yet."""
        argv = [sys.executable, "-m", "benchmarks.limit"]
        return Partner(argv, self.environment(model), self.folder / "limit.log")

    def speed_probe(self, model: str) -> Partner:
        """The model called by Celeriac and as its user would, not started yet."""
        argv = [sys.executable, "-m", "benchmarks.speed_probe"]
        return Partner(argv, self.environment(model), self.folder / "speed-probe.log")

    def depth_probe(self) -> Partner:
        """The one who submits to and polls a long queue, not started yet."""
        argv = [sys.executable, "-m", "benchmarks.depth_probe"]
        return Partner(argv, self.environment(""), self.folder / "depth-probe.log")

    def load_generator(self) -> Partner:
        """The HTTP client, not started yet."""
        argv = [sys.executable, "-m", "benchmarks.http_load"]
        return Partner(argv, self.environment(""), self.folder / "http-load.log")

    def one_by_one(self) -> Partner:
        """The library's user who submits one job after the other, not started yet."""
        argv = [sys.executable, "-m", "benchmarks.one_by_one"]
        return Partner(argv, self.environment(""), self.folder / "one-by-one.log")

    def picture_loop(self, model: str) -> Partner:
        """The script that needs no queue, not started yet."""
        argv = [sys.executable, "-m", "benchmarks.picture_loop"]
        return Partner(argv, self.environment(model), self.folder / "picture-loop.log")

    def check(self, who: str, model: str, answers: Path) -> int:
        """Hold all answers against the in-process model's; gives how many there are.

        Raises:
            BenchmarkError: some are wrong.
        """
        return self.check_rows(who, model, np.load(answers))

    def check_rows(self, who: str, model: str, answers: Array) -> int:
        """The same for answers in memory."""
        wrong = wrong_answers(np.load(self.models / f"{model}-answers.npy"), answers)
        if wrong:
            raise BenchmarkError(
                f"{wrong} of {len(answers)} answers of {who} on {model} are not the in-process model's."
            )
        return len(answers)
