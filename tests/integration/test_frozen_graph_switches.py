"""Placeholders that told a graph whether it trains, and what to keep: they are set to use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.old_graphs import assert_same, graph_def, placeholder_x, put_graph, tf1
from tests.opened_models import loaded, opened

X = np.array([[1, 2, 3], [4, 5, 6]], "float32")


def dropout_by_hand(x: tf.Tensor, keep: tf.Tensor) -> tf.Tensor:
    """As tf.nn.dropout computed it until TensorFlow 1.13: what is kept, is divided by its share."""
    return tf1.div(x, keep) * tf.floor(tf.random.uniform(tf.shape(x)) + keep)


@pytest.mark.parametrize(
    ("name", "dtype", "in_use"),
    [
        *(("is_training", tf.bool, False), ("phase_train", tf.bool, False), ("model/train_mode_1", tf.bool, False)),
        *(("keras_learning_phase", tf.bool, False), ("isTraining", tf.int32, 0), ("training", tf.float32, 0)),
        *(("keep_prob", tf.float32, 1), ("dropout_keep_prob", tf.float32, 1), ("inference", tf.bool, True)),
    ],
)
@pytest.mark.parametrize("kind", ["placeholder", "placeholder with the default of training"])
def test_a_switch_of_training_is_set_to_use(
    tmp_path: Path, name: str, dtype: tf.DType, in_use: float, kind: str
) -> None:
    def build() -> None:
        x = placeholder_x()
        other = tf.cast(not in_use if dtype == tf.bool else in_use + 1, dtype)
        is_open = kind == "placeholder"
        switch = tf1.placeholder(dtype, (), name) if is_open else tf1.placeholder_with_default(other, (), name)
        tf.multiply(x, 3.0 + tf.cast(switch, tf.float32), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = loaded(tmp_path)
    assert list(model.signature.inputs) == ["x"]
    assert_same(model, graph, {"x": X, name: in_use}, {"x": X})


def test_a_dropout_that_was_fed_what_it_keeps_keeps_all(tmp_path: Path) -> None:
    def build() -> None:
        x = placeholder_x()
        tf.identity(dropout_by_hand(x, tf1.placeholder(tf.float32, name="dropout")), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    assert_same(opened(tmp_path), graph, {"x": X, "dropout": 1}, {"x": X})


def test_a_dropout_that_was_fed_a_rate_drops_nothing(tmp_path: Path) -> None:
    def build() -> None:
        x = placeholder_x()
        tf.identity(tf1.nn.dropout(x, rate=tf1.placeholder(tf.float32, (), name="dropout")), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    assert_same(opened(tmp_path), graph, {"x": X, "dropout": 0}, {"x": X})
