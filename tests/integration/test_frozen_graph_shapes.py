"""Shapes that a frozen graph's writer did not declare: told by what computes with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model_store.errors import InvalidInput
from model_store.signature import TensorSpec
from tests.old_graphs import assert_same, graph_def, placeholder_x, put_graph, tf1
from tests.opened_models import opened

WEIGHTS = np.arange(12, dtype="float32").reshape(3, 4)


def image(shape: tuple[int | None, ...] | None = None) -> tf.Tensor:
    return tf1.placeholder(tf.float32, shape, name="image")


def convolution(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(x, np.ones((3, 3, 3, 2), "float32"), 1, "SAME", name="y")


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (lambda: convolution(image()), (None, None, None, 3)),
        (lambda: convolution(image((None, None, None, None)) / 255.0 - 0.5), (None, None, None, 3)),
        (lambda: convolution(tf.image.resize(image((None, None, None, None)), (8, 8))), (None, None, None, 3)),
        (lambda: tf.matmul(tf1.placeholder(tf.float32, name="image"), WEIGHTS, name="y"), (None, 3)),
        (
            lambda: tf.nn.conv1d(image((None, None, None)), np.ones((3, 5, 2), "float32"), 1, "SAME", name="y"),
            (None, None, 5),
        ),
        (lambda: tf.transpose(image(), (0, 2, 1), name="y"), (None, None, None)),
    ],
)
def test_a_shape_that_was_not_declared_is_told_by_what_computes_with_it(
    tmp_path: Path, build: Callable[[], tf.Tensor], shape: tuple[int | None, ...]
) -> None:
    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert model.signature.inputs["image"].shape == shape
    x = np.random.default_rng(0).random([size or 4 for size in shape], np.float32)
    assert_same(model, graph, {"image": x}, {"image": x})
    with pytest.raises(InvalidInput):
        model.predict({"image": x[0]})


def test_a_rank_is_found_beside_a_switch(tmp_path: Path) -> None:
    def build() -> None:
        trains = tf1.placeholder(tf.bool, name="is_training")
        turned = tf.transpose(image(), (0, 2, 1))
        tf.identity(tf1.cond(trains, lambda: turned, lambda: 2 * turned), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert model.signature.inputs == {"image": TensorSpec("float32", (None, None, None))}
    x = np.ones((2, 3, 4), "float32")
    assert_same(model, graph, {"image": x, "is_training": False}, {"image": x})


def test_a_shape_that_the_writer_noted_is_used(tmp_path: Path) -> None:
    graph = graph_def(lambda: tf.add(placeholder_x(), 1.0, name="y"))
    shape = graph.node[0].attr["shape"].shape
    graph.node[0].attr["_output_shapes"].list.shape.add().CopyFrom(shape)
    del graph.node[0].attr["shape"]
    put_graph(tmp_path, graph)
    assert opened(tmp_path).signature.inputs["x"].shape == (None, 3)
