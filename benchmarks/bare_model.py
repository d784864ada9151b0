"""The model without any queue: the same file, loaded and called in the same way by every contestant but Celeriac.

Celeriac loads the file through its own model store. Runs in every contestant's virtual environment.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]


def load_compiled(file: Path, rows: int | None) -> Callable[[Array], Array]:
    """The model as one compiled function with a fixed signature, already run once.

    Args:
        file: the `.keras` file.
        rows: how many rows a call takes; None: any number.

    Returns:
        From an array of rows to an array with an output for each.
    """
    model = keras.saving.load_model(file, compile=False)
    signature = [tf.TensorSpec((rows, *model.inputs[0].shape[1:]), model.inputs[0].dtype)]
    # The concrete function is called directly: looking it up takes as long as a small model.
    call = tf.function(lambda batch: model(batch, training=False), input_signature=signature).get_concrete_function()

    def predict(batch: Array) -> Array:
        return np.asarray(call(tf.constant(batch)))

    predict(np.zeros((rows or 1, *model.inputs[0].shape[1:]), model.inputs[0].dtype))
    return predict


def load_one_row() -> Callable[[bytes], list[float]]:
    """The model of `BENCH_MODEL_FILE` as a worker of a plain queue runs it: one row a call.

    Returns:
        From the bytes of a `.npy` with one row to the row's outputs.
    """
    predict = load_compiled(Path(os.environ["BENCH_MODEL_FILE"]), 1)

    def predict_npy(npy: bytes) -> list[float]:
        outputs: list[float] = predict(np.load(io.BytesIO(npy), allow_pickle=False))[0].tolist()
        return outputs

    return predict_npy
