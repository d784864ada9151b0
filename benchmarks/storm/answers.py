"""The right answers: what each model gives for the input of each number when it is called in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.contestant import ROOT
from benchmarks.errors import BenchmarkError
from benchmarks.storm.schedule import MODELS
from benchmarks.storm.sums import NUMBERS, Array, rows_of


class Answers:
    """Of both models.

    Args:
        folder: of `<model>.npy`, each `(NUMBERS, MOST_ROWS, WIDTH)` float32, see `benchmarks.storm.model_files`.
    """

    def __init__(self, folder: Path) -> None:
        self._tables: dict[str, Array] = {
            model: np.load(folder / f"{model}.npy", allow_pickle=False) for model in MODELS
        }

    def of(self, model: str, number: int) -> Array:
        """What the model makes of the input with this number, see `rows_of`."""
        answer: Array = self._tables[model][number % NUMBERS, : len(rows_of(number))]
        return answer


def prepare(store: Path, folder: Path) -> Answers:
    """Write the models that are not there yet and ask all of them; this process stays without TensorFlow.

    Args:
        store: where the models are kept.
        folder: of the answers.

    Raises:
        BenchmarkError: that failed.
    """
    argv = [sys.executable, "-m", "benchmarks.storm.model_files", str(store), str(folder)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise BenchmarkError(f"The models could not be built and asked:\n{done.stderr[-2000:]}")
    return Answers(folder)
