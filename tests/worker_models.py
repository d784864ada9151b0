"""The model that tests of workers use: it computes, waits, fails and fills memory as its rows say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from model_store.trust.digest import artifact_digest
from tests.tiny_models import save_saved_model, version_folder

#: Rows of a batch.
MAX_ROWS = 32

#: What no worker survives.
DEADLY = 1e30

TOML = f"[batching]\nmax_batch_size = {MAX_ROWS}\n"

SPEC = {
    "x": tf.TensorSpec((None, None), tf.float32),
    "entry": tf.TensorSpec((None,), tf.int32),
    "wait_ms": tf.TensorSpec((None,), tf.int32),
    "numbers": tf.TensorSpec((None,), tf.int64),
}


def add_willing(store: Path, name: str, toml: str = TOML) -> Path:
    """Add the model under a name; gives its folder."""
    folder = save_saved_model(version_folder(store, name), willing, SPEC)
    # Its Abort is an operator that no file may bring unasked.
    (folder / "model.toml").write_text(f'trusted_sha256 = ["{artifact_digest(folder)}"]\n{toml}')
    return folder


def willing(x: tf.Tensor, entry: tf.Tensor, wait_ms: tf.Tensor, numbers: tf.Tensor) -> dict[str, tf.Tensor]:
    """y = 2x + 1 after the longest of the rows' waits.

    Fails where a row's `entry` is none of a table of four, and where `numbers` float32 do not fit into memory. Aborts
    its process where an x is `DEADLY`.
    """
    until_s = tf.timestamp() + tf.cast(tf.reduce_max(wait_ms), tf.float64) / 1000.0
    waited = tf.while_loop(lambda now_s: now_s < until_s, lambda _: [tf.timestamp()], [tf.timestamp()])[0]
    filled = tf.reduce_sum(tf.random.uniform([tf.reduce_max(numbers)]))
    alive = tf.cond(tf.reduce_any(x >= DEADLY), lambda: _abort(filled), lambda: filled)
    done = tf.cast(waited, tf.float32) * 0.0 + alive * 0.0
    return {"y": 2.0 * x + 1.0 + done, "entry": tf.gather(tf.constant([1.0, 2.0, 3.0, 4.0]), entry)}


def _abort(number: tf.Tensor) -> tf.Tensor:
    # What no output depends on is not run.
    with tf.control_dependencies([tf.raw_ops.Abort(error_msg="A test wants its worker to die.")]):
        return tf.identity(number)


def willing_inputs(number: float, rows: int = 1, width: int = 3, **values: Any) -> dict[str, Any]:
    """Inputs of so many rows. `values` are `entry`, `wait_ms` and `numbers`, the same for each row."""
    given = {"entry": 0, "wait_ms": 0, "numbers": 0, **values}
    return {
        "x": np.full((rows, width), number, "float32"),
        "entry": np.full(rows, given["entry"], "int32"),
        "wait_ms": np.full(rows, given["wait_ms"], "int32"),
        "numbers": np.full(rows, given["numbers"], "int64"),
    }
