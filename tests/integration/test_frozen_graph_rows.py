"""Frozen graphs of a fixed number of rows: opened to any number where that gives the same, row by row where not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.old_graphs import graph_def, put_graph, session_run, tf1
from tests.opened_models import opened

RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.random((3, 3, 3, 4), np.float32)
DENSE = RANDOM.random((4 * 16, 5), np.float32)
TABLE = RANDOM.random((3, 4), np.float32)
PICTURES = RANDOM.random((7, 4, 4, 3), np.float32)


def pictures(rows: int) -> tf.Tensor:
    return tf1.placeholder(tf.float32, (rows, 4, 4, 3), name="x")


def layers(rows: int) -> None:
    tf.identity(tf.nn.conv2d(pictures(rows), KERNEL, 1, "SAME"), name="y")


def flattened(rows: int) -> None:
    features = tf.nn.conv2d(pictures(rows), KERNEL, 1, "SAME")
    tf.nn.softmax(tf.matmul(tf.reshape(features, [rows, 64]), DENSE), name="y")


def boxes(rows: int) -> None:
    """As detectors of fixed rows reshape what they predict: the number of boxes follows."""
    features = tf.nn.conv2d(pictures(rows), KERNEL, 1, "SAME")
    tf.reshape(features, [rows, -1, 2], name="boxes")
    tf.reduce_max(tf.slice(features, [0, 0, 0, 0], [rows, 4, 4, 1]), axis=[1, 2, 3], name="scores")


def with_a_state(rows: int) -> None:
    state = tf.fill(tf.constant([rows, 2]), 0.5) + tf.tile(tf.constant([[1.0, 2.0]]), [rows, 1])
    tf.concat([tf.reshape(pictures(rows), [rows, 48]), state], axis=1, name="y")


def pixel_by_pixel(rows: int) -> None:
    pixels = tf.reshape(pictures(rows), [rows * 16, 3])
    tf.reshape(tf.matmul(pixels, TABLE), [rows, 4, 4, 4], name="y")


@pytest.mark.parametrize("build", [layers, flattened, boxes, with_a_state, pixel_by_pixel])
@pytest.mark.parametrize("rows", [1, 2])
def test_a_graph_of_fixed_rows_computes_many_in_one_call(
    tmp_path: Path, build: Callable[[int], None], rows: int
) -> None:
    # Given a graph that was frozen for so many rows, with that number here and there in its nodes
    graph = graph_def(lambda: build(rows))
    put_graph(tmp_path, graph)

    # When it is warmed up
    model = opened(tmp_path)

    # Then rows share calls, whatever their number
    assert model.batching.sizes == ()
    assert model.batching.max_rows > rows

    # And each has the answer that the graph as it was gives for it
    outputs = model.predict({"x": PICTURES})
    for start in range(0, len(PICTURES) - rows + 1, rows):
        expected = session_run(graph, {"x": PICTURES[start : start + rows]}, list(outputs))
        for name, array in outputs.items():
            np.testing.assert_allclose(array[start : start + rows], expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def mixed(rows: int) -> None:
    """Its answer for a picture would depend on the others."""
    x = pictures(rows)
    tf.subtract(x, tf.reduce_mean(x), name="y")


def numbered(rows: int) -> None:
    """It counts the pixels of all rows, so that those of a second row would have other numbers."""
    tf.reshape(tf.cumsum(tf.reshape(pictures(rows), [rows * 16, 3])), [rows, 4, 4, 3], name="y")


def of_constants(rows: int) -> None:
    """A constant with that number of rows stands in the way."""
    tf.concat([tf.reshape(pictures(rows), [rows, 48]), tf.ones((rows, 1)) * 2], axis=1, name="y")


@pytest.mark.parametrize("build", [mixed, numbered, of_constants])
def test_a_graph_that_would_give_other_answers_is_run_row_by_row(tmp_path: Path, build: Callable[[int], None]) -> None:
    graph = graph_def(lambda: build(1))
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert model.batching.sizes == (1,)
    outputs = model.predict({"x": PICTURES})
    for row in range(len(PICTURES)):
        expected = session_run(graph, {"x": PICTURES[row : row + 1]}, ["y"])
        np.testing.assert_allclose(outputs["y"][row : row + 1], expected["y"], rtol=1e-4, atol=1e-5)


def test_an_input_that_looks_open_before_a_fixed_shape_is_opened_too(tmp_path: Path) -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, (None, 4, 4, 3), name="x")
        tf.matmul(tf.reshape(x, [1, 48]), np.ones((48, 2), "float32"), name="y")

    put_graph(tmp_path, build)
    model = opened(tmp_path)
    assert model.batching.sizes == ()
    np.testing.assert_allclose(model.predict({"x": PICTURES})["y"][:, 0], PICTURES.sum(axis=(1, 2, 3)), rtol=1e-4)


def test_model_toml_may_ask_for_batches_of_a_graph_of_one_row(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: flattened(1), toml="[batching]\nmax_batch_size = 4\nsizes = [2, 4]")
    model = opened(tmp_path)
    assert (model.batching.max_rows, model.batching.sizes) == (4, (2, 4))
