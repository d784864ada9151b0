"""What frozen graphs leave to be found out: inputs and outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from tests import tiny_models
from tests.old_graphs import graph_def, placeholder_x, put_graph, tf1
from tests.opened_models import opened, refusal

X = np.array([[1, 2, 3]], "float32")


def test_the_outputs_are_the_nodes_that_feed_no_other(tmp_path: Path) -> None:
    def build() -> None:
        doubled = tf.multiply(placeholder_x(), 2.0, name="doubled")
        tf.add(doubled, 1.0, name="more")
        tf.subtract(doubled, 1.0, name="less")
        with tf.control_dependencies([tf.debugging.Assert(tf.constant(True), [doubled])]):
            tf.no_op(name="init")

    put_graph(tmp_path, graph_def(build, control_flow_v2=True))
    outputs = opened(tmp_path).predict({"x": X})
    assert {name: array.tolist() for name, array in outputs.items()} == {"more": [[3, 5, 7]], "less": [[1, 3, 5]]}


def test_the_object_detection_names_are_the_outputs_whatever_else_ends_loose(tmp_path: Path) -> None:
    def build() -> None:
        image = tf1.placeholder(tf.uint8, (None, None, None, 3), name="image_tensor")
        for name, tensor in tiny_models.detector(image).items():
            tf.identity(tensor, name=name)
        tf.identity(image, name="Preprocessor/leftover")

    put_graph(tmp_path, build)
    assert set(opened(tmp_path).signature.outputs) == {
        *("detection_boxes", "detection_classes", "detection_scores", "num_detections")
    }


def test_model_toml_names_the_outputs_also_inner_ones(tmp_path: Path) -> None:
    def build() -> None:
        tf.add(tf.multiply(placeholder_x(), 2.0, name="doubled"), 1.0, name="more")

    put_graph(tmp_path, build, toml='outputs = ["doubled:0"]')
    assert opened(tmp_path).predict({"x": X})["doubled"].tolist() == [[2, 4, 6]]


def test_an_output_that_the_graph_has_not_is_named(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.identity(placeholder_x(), name="y"), toml='outputs = ["z"]')
    assert "it has no node z, which outputs in model.toml asks for" in refusal(tmp_path)


def test_a_node_with_several_tensors_gives_all_of_them(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.unstack(placeholder_x(), 3, axis=1, name="parts"))
    outputs = opened(tmp_path).predict({"x": X})
    assert {name: array.tolist() for name, array in outputs.items()} == {
        "parts": [1],
        "parts:1": [2],
        "parts:2": [3],
    }


def test_a_placeholder_that_no_output_needs_is_no_input(tmp_path: Path) -> None:
    def build() -> None:
        tf1.placeholder(tf.float32, (None, 7), name="labels")
        tf.add(placeholder_x(), 1.0, name="y")

    put_graph(tmp_path, build)
    assert list(opened(tmp_path).signature.inputs) == ["x"]


def test_a_placeholder_with_a_default_keeps_it(tmp_path: Path) -> None:
    put_graph(
        tmp_path, lambda: tf.multiply(placeholder_x(), tf1.placeholder_with_default(3.0, (), name="factor"), name="y")
    )
    model = opened(tmp_path)
    assert list(model.signature.inputs) == ["x"]
    assert model.predict({"x": X})["y"].tolist() == [[3, 6, 9]]


def test_switches_of_training_are_set_to_use(tmp_path: Path) -> None:
    # Given a graph of TensorFlow 1's days, which was told whether it trains and what to keep
    def build() -> None:
        trains = tf1.placeholder(tf.bool, (), name="is_training")
        keep = tf1.placeholder(tf.float32, name="dropout/keep_prob")
        rows = placeholder_x()
        tf.multiply(tf.where(trains, rows * 100, rows), keep, name="y")

    put_graph(tmp_path, build)

    # Then nobody needs to tell it
    model = opened(tmp_path)
    assert list(model.signature.inputs) == ["x"]
    assert model.predict({"x": X})["y"].tolist() == X.tolist()


def test_a_placeholder_of_unknown_shape_takes_any(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.add(tf1.placeholder(tf.float32, name="x"), 1.0, name="y"))
    model = opened(tmp_path)
    assert model.signature.inputs["x"].shape is None
    assert model.signature.outputs["y"].shape == (None, None)
    assert model.predict({"x": X})["y"].tolist() == [[2, 3, 4]]


def test_a_graph_with_variables_is_not_frozen(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.add(placeholder_x(), tf1.get_variable("bias", (3,)), name="y"))
    assert "a graph that is not frozen" in refusal(tmp_path)
    assert "bias" in refusal(tmp_path)


def test_an_operation_that_tensorflow_has_not_is_named(tmp_path: Path) -> None:
    graph = tf1.GraphDef()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = tf.float32.as_datatype_enum
    graph.node.add(name="y", op="MyFancyOperation", input=["x"])
    put_graph(tmp_path, graph)
    assert "MyFancyOperation" in refusal(tmp_path)


def test_a_graph_without_results_is_refused(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: placeholder_x())
    assert "it has no outputs" in refusal(tmp_path)


def test_a_graph_that_takes_nothing_is_refused(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.add(tf.constant(1.0), 1.0, name="y"))
    assert "it has no inputs: no placeholder leads to its outputs y" in refusal(tmp_path)


def test_a_type_that_numpy_has_not_is_refused(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.cast(placeholder_x(), tf.bfloat16, name="y"))
    assert "its tensor 'y' is of TensorFlow's type bfloat16" in refusal(tmp_path)
