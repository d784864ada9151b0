"""The model store of the acceptance tests: each format, a slow model, and what must be refused."""

from __future__ import annotations

import time
from pathlib import Path

import keras
import numpy as np

from tests.tiny_detectors import add_tf2
from tests.tiny_models import add_detector, add_linear, add_text, add_two_inputs, save_keras, version_folder

#: What the acceptance tests can send jobs to.
SERVED = (
    *("detector-h5", "detector-pb", "detector-tf2"),
    *("linear-h5", "linear-pb", "linear-savedmodel", "slow-h5", "text", "two-inputs"),
)
#: What must not start, and what its worker's sentence must name.
BROKEN = {"broken-empty": "broken-empty", "broken-foreign": "model.h5", "broken-truncated": "linear.pb"}


def make_store(store: Path) -> Path:
    """Write all models of `SERVED` and `BROKEN`; gives the store."""
    add_linear(store, "linear-h5", "keras")
    add_linear(store, "linear-pb", "frozen_graph")
    add_linear(store, "linear-savedmodel", "saved_model")
    add_detector(store, "detector-pb", "frozen_graph", toml='kind = "detector"\nlabels = {1 = "lamp"}\nmin_score = 0.2')
    add_detector(store, "detector-h5", "keras", toml='labels = "names.txt"\nfirst_class = 1\nmax_detections = 1')
    (store / "detector-h5" / "1" / "names.txt").write_text("moon\nsun\n")
    add_tf2(store, "detector-tf2", toml='labels = "coco"')
    add_text(store)
    add_two_inputs(store)
    save_keras(version_folder(store, "slow-h5") / "slow.h5", slow_keras(seconds_a_row=2.0))
    version_folder(store, "broken-empty")
    (version_folder(store, "broken-foreign") / "model.h5").write_text("This is no model.")
    whole = add_linear(store, "broken-truncated", "frozen_graph")
    whole.write_bytes(whole.read_bytes()[:100])
    return store


def slow_keras(seconds_a_row: float) -> keras.Model:
    """A recurrent model whose row takes half of this or more; its steps wait for each other, so no core can help."""
    trial_steps = 2000
    trial = _recurrent(trial_steps)
    row = np.zeros((1, 1), "float32")
    trial.predict_on_batch(row)
    began_s = time.perf_counter()
    trial.predict_on_batch(row)
    return _recurrent(round(trial_steps * seconds_a_row / (time.perf_counter() - began_s)))


def _recurrent(steps: int) -> keras.Model:
    return keras.Sequential([keras.Input((1,), name="x"), keras.layers.RepeatVector(steps), keras.layers.SimpleRNN(4)])
