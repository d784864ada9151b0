"""Models that were tuned, and how their answers are compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from model_store.loader import load
from model_store.model import Model
from model_store.store import find_model
from model_store.tuning.file import TuningFiles
from model_store.tuning.plan import TuningPlan

LIMIT_S = 20.0

SCALE = np.array([[2, 3, 4]], "float32")


class Scaler(tf.Module):
    """y = x * SCALE, with the scale in a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = tf.Variable(SCALE)

    @tf.function
    def call(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """The product, and how many rows there were."""
        return {"y": x * self.scale, "rows": tf.shape(x)[0]}


def tuned(store: Path, limit_s: float = LIMIT_S, looks_again: bool = False) -> Model:
    """Load the model `m` and tune it; what is found is kept in its folder."""
    stored = find_model(store, "m")
    model = load(stored)
    model.warm_up(TuningPlan(stored.path, TuningFiles((stored.folder.parent,), "here"), limit_s, looks_again))
    return model


def assert_close(got: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> None:
    """Check names and dtypes, and the numbers to what the order of an addition may change."""
    assert set(got) == set(wanted)
    for name, array in wanted.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_allclose(got[name], array, rtol=1e-5, atol=1e-5)
