"""Where values enter a frozen graph: each kind of head, compared with a Session that is fed in the same place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model_store.errors import SpecError, Untrusted
from model_store.signature import TensorSpec
from tests import tiny_models
from tests.old_graphs import assert_same, graph_def, placeholder_x, put_graph, tf1
from tests.opened_models import opened, refusal

X = np.array([[1, 2, 3], [4, 5, 6]], "float32")
WEIGHTS = np.arange(12, dtype="float32").reshape(3, 4)


def test_an_iterator_that_was_left_is_an_input_with_its_dtype_and_shape(tmp_path: Path) -> None:
    # Given a graph that was frozen with the dataset that it was trained from; nothing needs its labels
    def build() -> None:
        dataset = tf1.data.Dataset.from_tensor_slices((X, np.array([0, 1]))).batch(2)
        rows, _ = tf1.data.make_one_shot_iterator(dataset).get_next()
        tf.matmul(rows, WEIGHTS, name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)

    # Then rows come from outside, in whatever number
    model = opened(tmp_path)
    assert model.signature.inputs == {"IteratorGetNext": TensorSpec("float32", (None, 3))}
    assert_same(model, graph, {"IteratorGetNext": X * 2}, {"IteratorGetNext": X * 2})


def test_an_initializable_iterator_gives_an_input_for_each_part_that_is_used(tmp_path: Path) -> None:
    def build() -> None:
        types, shapes = (tf.float32, tf.int32), (tf.TensorShape([None, 3]), tf.TensorShape([None]))
        iterator = tf1.data.Iterator.from_structure(types, shapes)
        rows, numbers = iterator.get_next()
        tf.add(tf.reduce_sum(rows, axis=1), tf.cast(numbers, tf.float32), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    inputs = {"IteratorGetNext": X, "IteratorGetNext:1": np.array([7, 8], "int32")}
    assert model.signature.inputs == {
        "IteratorGetNext": TensorSpec("float32", (None, 3)),
        "IteratorGetNext:1": TensorSpec("int32", (None,)),
    }
    assert_same(model, graph, inputs, inputs)


def test_a_queue_that_was_read_in_batches_is_an_input_with_the_shape_of_what_it_held(tmp_path: Path) -> None:
    def build() -> None:
        queue = tf1.FIFOQueue(10, [tf.float32, tf.int64], [[3], []])
        rows, _ = queue.dequeue_many(2, name="batch")
        tf.matmul(rows, WEIGHTS, name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert model.signature.inputs == {"batch": TensorSpec("float32", (None, 3))}
    assert_same(model, graph, {"batch": X}, {"batch": X})


def test_a_file_reader_gives_the_bytes_that_it_would_have_read(tmp_path: Path) -> None:
    def build() -> None:
        names = tf1.FIFOQueue(10, [tf.string], [[]])
        _, content = tf1.WholeFileReader(name="reader").read(names, name="read")
        tf.strings.length(content, name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert model.signature.inputs == {"read:1": TensorSpec("string", ())}
    assert model.predict({"read:1": np.array("four")})["y"] == 4


def test_a_scalar_that_is_no_switch_is_an_input(tmp_path: Path) -> None:
    def build() -> None:
        x = placeholder_x()
        tf.multiply(x, tf1.placeholder(tf.float32, (), name="temperature"), name="y")

    put_graph(tmp_path, build)
    model = opened(tmp_path)
    assert set(model.signature.inputs) == {"x", "temperature"}
    outputs = model.predict({"x": X, "temperature": np.array(2, "float32")})
    np.testing.assert_allclose(outputs["y"], 2 * X)


def test_rows_with_a_default_are_an_input_and_a_scalar_with_one_keeps_it(tmp_path: Path) -> None:
    def build() -> None:
        rows = tf1.placeholder_with_default(np.zeros((1, 3), "float32"), (None, 3), name="rows")
        tf.multiply(rows, tf1.placeholder_with_default(5.0, (), name="factor"), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert model.signature.inputs == {"rows": TensorSpec("float32", (None, 3))}
    assert_same(model, graph, {"rows": X}, {"rows": X})


def test_a_scalar_with_a_default_is_the_input_where_there_is_no_other(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.multiply(tf1.placeholder_with_default(5.0, (), name="x"), 2.0, name="y"))
    assert opened(tmp_path).predict({"x": np.array(4, "float32")})["y"] == 8


def test_model_toml_names_the_inputs_also_inner_ones(tmp_path: Path) -> None:
    # Given a graph that scales its rows first, and a switch whose value somebody wants to choose
    def build() -> None:
        x = placeholder_x()
        scaled = tf.subtract(x, 100.0, name="scaled")
        tf.multiply(scaled, tf1.placeholder(tf.float32, (), name="keep_prob"), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph, toml='inputs = ["keep_prob", "scaled:0"]')

    # Then they are given in place of what was found
    model = opened(tmp_path)
    assert list(model.signature.inputs) == ["keep_prob", "scaled"]
    given = {"scaled": X, "keep_prob": np.array(0.5, "float32")}
    assert_same(model, graph, given, given)


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ('inputs = ["z"]', "it has no node z, which inputs in model.toml asks for"),
        ('inputs = ["a"]', "its outputs need b too, which is not among its inputs"),
        ('inputs = ["a", "b", "a:1"]', "its outputs do not need a:1, which inputs in model.toml names"),
        ('outputs = ["a"]', "its a, which outputs in model.toml asks for, is an input"),
    ],
)
def test_inputs_that_do_not_fit_the_graph_are_told(tmp_path: Path, toml: str, reason: str) -> None:
    def build() -> None:
        tf.add(tf1.placeholder(tf.float32, (None,), name="a"), tf1.placeholder(tf.float32, (None,), name="b"), name="y")

    put_graph(tmp_path, build, toml)
    assert reason in refusal(tmp_path)


def test_inputs_are_not_chosen_for_files_that_tell_their_own(tmp_path: Path) -> None:
    tiny_models.add_linear(tmp_path, "m", toml='inputs = ["x"]')
    assert "model.toml: inputs is for frozen graphs; this model's are x." in refusal(tmp_path, SpecError)


def test_what_leads_to_an_inner_input_is_looked_through_before_tensorflow_sees_it(tmp_path: Path) -> None:
    def build() -> None:
        content = tf.reshape(tf.io.decode_raw(tf.io.read_file("/etc/passwd"), tf.uint8), (1, -1), name="content")
        tf.multiply(
            tf.cast(content, tf.float32, name="inner"), tf1.placeholder(tf.float32, (None, 1), name="x"), name="y"
        )

    put_graph(tmp_path, build, 'inputs = ["inner", "x"]')
    assert "ReadFile" in refusal(tmp_path, Untrusted)
