"""Which nodes of a frozen graph are its results, where training and debugging left others that nobody consumes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.old_graphs import assert_same, graph_def, placeholder_x, put_graph, tf1
from tests.opened_models import opened, refusal

X = np.array([[1, 2, 3], [4, 5, 6]], "float32")


def leave_summaries(y: tf.Tensor) -> None:
    tf1.summary.histogram("values", y)
    tf1.summary.merge_all()


def leave_gradients(y: tf.Tensor) -> None:
    tf1.gradients(y, [y.op.inputs[0]])


def leave_a_saver(y: tf.Tensor) -> None:
    name = tf1.placeholder_with_default("model", (), name="save/Const")
    tf.raw_ops.SaveV2(prefix=name, tensor_names=["w"], shape_and_slices=[""], tensors=[tf.ones(3)])
    tf.identity(tf.raw_ops.RestoreV2(prefix=name, tensor_names=["w"], shape_and_slices=[""], dtypes=[tf.float32])[0])


def leave_shapes(y: tf.Tensor) -> None:
    tf.add(tf.shape(y)[0], 1, name="number_of_rows")


def leave_constants(y: tf.Tensor) -> None:
    tf.multiply(tf.constant(2.0), 3.0, name="training/learning_rate")


def leave_an_assertion(y: tf.Tensor) -> None:
    tf.debugging.assert_greater_equal(y, -1e9)


def leave_a_branch(y: tf.Tensor) -> None:
    case = tf1.placeholder_with_default(False, (), name="case")
    tf.negative(tf.raw_ops.Switch(data=y, pred=case).output_true, name="one_case")


@pytest.mark.parametrize(
    "leave",
    [
        *(leave_summaries, leave_gradients, leave_a_saver, leave_shapes, leave_constants),
        *(leave_an_assertion, leave_a_branch),
    ],
)
@pytest.mark.parametrize("control_flow_v2", [False, True])
def test_what_training_left_behind_is_no_output(
    tmp_path: Path, leave: Callable[[tf.Tensor], None], control_flow_v2: bool
) -> None:
    def build() -> None:
        y = tf.nn.softmax(2 * placeholder_x())
        tf.argmax(y, axis=1, name="best")
        leave(y)

    graph = graph_def(build, control_flow_v2=control_flow_v2)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert set(model.signature.outputs) == {"best"}
    assert_same(model, graph, {"x": X}, {"x": X})


def test_what_only_a_summary_looks_at_is_the_output_where_there_is_no_other(tmp_path: Path) -> None:
    graph = graph_def(lambda: leave_summaries(tf.multiply(placeholder_x(), 2.0, name="y")))
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert set(model.signature.outputs) == {"y"}
    assert_same(model, graph, {"x": X}, {"x": X})


def test_what_tells_the_shape_is_the_output_where_there_is_no_other(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.shape(placeholder_x(), name="y"))
    assert opened(tmp_path).predict({"x": X})["y"].tolist() == [2, 3]


def test_a_node_that_prints_passes_its_values_on(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf1.Print(2 * placeholder_x(), [], "rows: ", name="y"))
    assert opened(tmp_path).predict({"x": X})["y"].tolist() == (2 * X).tolist()


def test_all_tensors_of_an_end_are_outputs_and_none_of_what_goes_on(tmp_path: Path) -> None:
    # Given a graph that goes on with the best two values of each row, and ends in two more nodes of several tensors
    def build() -> None:
        best = tf.raw_ops.TopKV2(input=placeholder_x(), k=2, sorted=True, name="best")
        tf.split(best.values, 2, axis=1, name="parts")
        tf.raw_ops.Unique(x=tf.reshape(best.values, [-1]), name="unique")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert list(model.signature.outputs) == ["parts", "parts:1", "unique", "unique:1"]
    assert_same(model, graph, {"x": X}, {"x": X})


def test_of_a_normalization_only_its_values_are_an_output(tmp_path: Path) -> None:
    ones = np.ones(3, "float32")

    def build() -> None:
        image = tf1.placeholder(tf.float32, (None, 2, 2, 3), name="x")
        tf1.nn.fused_batch_norm(image, ones, ones, ones, ones, is_training=False, name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert list(model.signature.outputs) == ["y"]
    x = np.ones((2, 2, 2, 3), "float32")
    assert_same(model, graph, {"x": x}, {"x": x})


def test_a_detector_that_was_imported_into_a_scope_has_the_names_of_one(tmp_path: Path) -> None:
    def build() -> None:
        with tf.name_scope("import"):
            image = tf1.placeholder(tf.uint8, (None, None, None, 3), name="image_tensor")
            for name, tensor in tiny_models.detector(image).items():
                tf.identity(tensor, name=name)
            tf.identity(image, name="leftover")

    put_graph(tmp_path, build, toml='kind = "detector"')
    model = opened(tmp_path)
    assert set(model.signature.outputs) == set(tiny_models.detector(tf.zeros((1, 8, 8, 3), tf.uint8)))
    assert model.image is not None


@pytest.mark.parametrize("control_flow_v2", [False, True])
def test_loops_and_branches_give_what_a_session_gives(tmp_path: Path, control_flow_v2: bool) -> None:
    # Given a loop whose steps depend on the values, in a branch that depends on a switch, as recurrent nets have them
    def build() -> None:
        trains = tf1.placeholder(tf.bool, (), name="is_training")

        def looped() -> tf.Tensor:
            keeps_on = lambda step, y: tf.logical_and(step < 5, tf.reduce_sum(y) < 100)  # noqa: E731
            return tf1.while_loop(keeps_on, lambda step, y: (step + 1, y * 2), [tf.constant(0), x])[1]

        x = placeholder_x()
        tf.identity(tf1.cond(trains, lambda: x * 0, looped), name="y")

    graph = graph_def(build, control_flow_v2=control_flow_v2)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert list(model.signature.inputs) == ["x"]
    assert_same(model, graph, {"x": X, "is_training": False}, {"x": X})


def test_a_recurrent_net_gives_what_a_session_gives(tmp_path: Path) -> None:
    # Given a loop with arrays that are written step by step, as tf.nn.dynamic_rnn makes it
    weights = np.random.default_rng(0).random((5, 2), np.float32)

    def build() -> None:
        x = tf1.placeholder(tf.float32, (None, 4, 3), name="x")
        state = tf.zeros((tf.shape(x)[0], 2))
        steps = tf.TensorArray(tf.float32, 4).unstack(tf.transpose(x, (1, 0, 2)))
        states = tf.TensorArray(tf.float32, 4)

        def step(time: tf.Tensor, state: tf.Tensor, states: tf.TensorArray) -> tuple[object, ...]:
            state = tf.tanh(tf.concat([steps.read(time), state], axis=1) @ weights)
            return time + 1, state, states.write(time, state)

        _, _, states = tf1.while_loop(lambda time, *_: time < 4, step, [tf.constant(0), state, states])
        tf.transpose(states.stack(), (1, 0, 2), name="y")

    graph = graph_def(build)
    assert {"TensorArrayV3", "Enter", "NextIteration"} <= {node.op for node in graph.node}
    put_graph(tmp_path, graph)
    x = np.random.default_rng(1).random((2, 4, 3), np.float32)
    assert_same(opened(tmp_path), graph, {"x": x}, {"x": x})


def test_functions_of_the_library_are_called(tmp_path: Path) -> None:
    @tf.function
    def inner(x: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(lambda row: row * 2, x)

    graph = graph_def(lambda: tf.identity(inner(placeholder_x()), name="y"), control_flow_v2=True)
    assert graph.library.function
    put_graph(tmp_path, graph)
    assert_same(opened(tmp_path), graph, {"x": X}, {"x": X})


@pytest.mark.parametrize("toml", ["", 'outputs = ["y"]'])
def test_what_the_outputs_do_not_need_may_be_unknown(tmp_path: Path, toml: str) -> None:
    graph = graph_def(lambda: tf.multiply(placeholder_x(), 2.0, name="y"))
    graph.node.add(name="other", op="MyFancyOperation")
    graph.library.function.add().signature.name = "unused"
    graph.library.function[0].node_def.add(name="inner", op="AnotherFancyOperation")
    put_graph(tmp_path, graph, toml)
    assert opened(tmp_path).predict({"x": X})["y"].tolist() == (2 * X).tolist()


def test_operations_that_tensorflow_has_not_are_named_also_those_of_functions(tmp_path: Path) -> None:
    graph = graph_def(lambda: tf.multiply(placeholder_x(), 2.0, name="y"))
    function = graph.library.function.add()
    function.signature.name = "called"
    function.node_def.add(name="inner", op="NmsOfAnAddOn")
    graph.node.add(name="z", op="called", input=["y"])
    graph.node.add(name="end", op="MyFancyOperation", input=["z"])
    put_graph(tmp_path, graph)
    assert re.search(r"it needs MyFancyOperation, NmsOfAnAddOn, which TensorFlow \d", refusal(tmp_path))
