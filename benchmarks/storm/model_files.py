"""Writes the storm's two models: `python -m benchmarks.storm.model_files STORE`.

Each is a SavedModel that computes `benchmarks.storm.sums` in TensorFlow, and aborts its process where a row holds the
poison.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf

from benchmarks.storm.sums import POISON, SUMS, WIDTH, Sum

#: Small batches: there are more of them to be hit.
_TOML = "[batching]\nmax_batch_size = 32\n"


def build(store: Path) -> None:
    """Write all models that are not there yet into a model store."""
    for name, one in SUMS.items():
        folder = store / name / "1"
        if not (folder / "model.toml").exists():
            _save(folder, one)
            # Last: a store that was being written when the process ended is written again.
            (folder / "model.toml").write_text(_TOML)


def _save(folder: Path, one: Sum) -> None:
    def compute(x: tf.Tensor) -> dict[str, tf.Tensor]:
        is_poisoned = tf.reduce_any(tf.equal(x, POISON))
        with tf.control_dependencies([tf.cond(is_poisoned, _abort, lambda: tf.constant(True))]):
            return {"y": one.factor * x + one.offset}

    module = tf.Module()
    module.compute = tf.function(compute)
    signature = module.compute.get_concrete_function(tf.TensorSpec((None, WIDTH), tf.float32, name="x"))
    tf.saved_model.save(module, str(folder), signatures=signature)


def _abort() -> tf.Tensor:
    with tf.control_dependencies([tf.raw_ops.Abort(error_msg="Poison.", exit_without_error=False)]):
        return tf.constant(False)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
