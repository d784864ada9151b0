"""Writes the storm's two models and their answers: `python -m benchmarks.storm.model_files STORE ANSWERS`.

Each is a SavedModel that computes `benchmarks.storm.sums` in TensorFlow, takes its time over some rows, and aborts its
process where a row holds the poison. It is opened and asked as users do without a queue, by `model_store`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.storm.sums import (
    MOST_ROWS,
    NUMBERS,
    POISON,
    SLOW_EVERY,
    SLOW_S,
    SUMS,
    WIDTH,
    Sum,
    longest_rows_of,
)
from model_store.loader import load
from model_store.store import find_model
from model_store.trust.digest import artifact_digest

#: Small batches: there are more of them to be hit.
_TOML = "[batching]\nmax_batch_size = 32\n"


def build(store: Path) -> None:
    """Write all models that are not there yet into a model store."""
    for name, one in SUMS.items():
        folder = store / name / "1"
        if not (folder / "model.toml").exists():
            _save(folder, one)
            # Last: a store that was being written when the process ended is written again.
            # It is trusted, as files with operators that end a process are refused otherwise.
            (folder / "model.toml").write_text(f'trusted_sha256 = ["{artifact_digest(folder)}"]\n{_TOML}')


def answer(store: Path, folder: Path) -> None:
    """Write what each model gives for all inputs; a row's answer does not depend on the other rows of a call."""
    rows = np.concatenate([longest_rows_of(number) for number in range(NUMBERS)])
    folder.mkdir(parents=True, exist_ok=True)
    for name in SUMS:
        given = load(find_model(store, name)).predict({"x": rows})["y"]
        np.save(folder / f"{name}.npy", given.reshape(NUMBERS, MOST_ROWS, WIDTH))


def _save(folder: Path, one: Sum) -> None:
    def compute(x: tf.Tensor) -> dict[str, tf.Tensor]:
        is_poisoned = tf.reduce_any(tf.equal(x, POISON))
        is_slow = tf.reduce_any(tf.equal(tf.math.floormod(x[:, 0], SLOW_EVERY), 0.0))
        before = [tf.cond(is_slow, _sleep, _go_on)]
        with tf.control_dependencies(before):
            before = [tf.cond(is_poisoned, _abort, _go_on)]
        with tf.control_dependencies(before):
            return {"y": one.factor * x + one.offset}

    module = tf.Module()
    module.compute = tf.function(compute)
    signature = module.compute.get_concrete_function(tf.TensorSpec((None, WIDTH), tf.float32, name="x"))
    tf.saved_model.save(module, str(folder), signatures=signature)


def _go_on() -> tf.Tensor:
    return tf.constant(0, tf.int64)


def _abort() -> tf.Tensor:
    with tf.control_dependencies([tf.raw_ops.Abort(error_msg="Poison.", exit_without_error=False)]):
        return tf.constant(0, tf.int64)


def _sleep() -> tf.Tensor:
    """TensorFlow's only way to wait without computing: a dataset that sleeps before its one element."""
    once = tf.data.Dataset.range(1)
    slow = tf.raw_ops.SleepDataset(
        input_dataset=tf.data.experimental.to_variant(once),
        sleep_microseconds=tf.constant(round(SLOW_S * 1e6), tf.int64),
        output_types=[tf.int64],
        output_shapes=[tf.TensorShape(())],
    )
    elements = tf.data.experimental.from_variant(slow, once.element_spec)
    waited: tf.Tensor = elements.reduce(tf.constant(0, tf.int64), lambda total, one: total + one)
    return waited


if __name__ == "__main__":
    build(Path(sys.argv[1]))
    answer(Path(sys.argv[1]), Path(sys.argv[2]))
