"""A model file is a program: what could do more than compute is refused before TensorFlow sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model_store.errors import LoadError, Untrusted
from tests.old_graphs import graph_def, placeholder_x, put_graph, tf1
from tests.opened_models import loaded, put_file, put_keras, refusal, refused, trust

X = np.array([[1, 2, 3]], "float32")


def test_a_graph_that_writes_a_file_is_refused_and_does_not_write_it(tmp_path: Path) -> None:
    # Given a graph that computes, and writes a file beside that
    marker = tmp_path / "marker"

    def build() -> None:
        with tf.control_dependencies([tf.io.write_file(str(marker), "written")]):
            tf.add(placeholder_x(), 1.0, name="y")

    path = put_graph(tmp_path / "store", build)

    # Then it is refused, with what is wrong and what to do
    error = refused(tmp_path / "store", Untrusted)
    assert "has the operators WriteFile (in the graph itself: they read or write files that the graph names)" in str(
        error
    )
    assert "`celeriac inspect` prints, into trusted_sha256 in its model.toml" in str(error)
    assert error.operators[0]["operator"] == "WriteFile"
    assert not marker.exists()

    # And it runs once this very file is trusted
    trust(path)
    assert loaded(tmp_path / "store").predict({"x": X})["y"].tolist() == [[2, 3, 4]]
    assert marker.read_text() == "written"


def test_trust_in_one_file_is_not_trust_in_another(tmp_path: Path) -> None:
    def build(suffix: str) -> None:
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / suffix), "")]):
            tf.add(placeholder_x(), 1.0, name="y")

    trust(put_graph(tmp_path / "store", lambda: build("a")))
    put_graph(tmp_path / "other", lambda: build("b"))
    (tmp_path / "other" / "m" / "1" / "m.pb").rename(tmp_path / "store" / "m" / "1" / "m.pb")
    refused(tmp_path / "store", Untrusted)
    assert not (tmp_path / "b").exists()


def test_a_graph_that_reads_a_file_through_a_function_of_its_library_is_refused(tmp_path: Path) -> None:
    # Given a graph whose function calls another one, that reads a file
    @tf.function
    def read() -> tf.Tensor:
        return tf.io.read_file("/etc/passwd")

    @tf.function
    def harmless(x: tf.Tensor) -> tf.Tensor:
        return tf.cond(tf.reduce_sum(x) > 1e9, lambda: tf.strings.as_string(x[0, 0]), read)

    put_graph(tmp_path / "store", lambda: tf.identity(harmless(placeholder_x()), name="y"))
    error = refused(tmp_path / "store", Untrusted)
    assert "ReadFile (in its function __inference_read" in str(error)
    assert [one["operator"] for one in error.operators] == ["ReadFile"]


def test_a_function_that_is_named_like_a_refused_operator_does_not_allow_it(tmp_path: Path) -> None:
    def build() -> None:
        tf.strings.join([tf.io.read_file("/etc/passwd"), tf.strings.as_string(placeholder_x()[0, 0])], name="y")

    graph = graph_def(build)
    graph.library.function.add().signature.name = "ReadFile"
    put_graph(tmp_path, graph)
    assert "ReadFile (in the graph itself" in refusal(tmp_path, Untrusted)


def test_a_function_may_be_called_by_its_name_as_tensorflow_1_does(tmp_path: Path) -> None:
    def calls(read: str) -> Any:
        graph = tf1.GraphDef()
        graph.node.add(name="x", op="Placeholder").attr["dtype"].type = tf.string.as_datatype_enum
        graph.node.add(name="y", op="__inner", input=["x"])
        function = graph.library.function.add()
        function.signature.name = "__inner"
        function.signature.input_arg.add(name="a", type=tf.string.as_datatype_enum)
        function.signature.output_arg.add(name="b", type=tf.string.as_datatype_enum)
        function.node_def.add(name="n", op=read, input=["a"])
        function.ret["b"] = f"n:{'contents' if read == 'ReadFile' else 'output'}:0"
        return graph

    put_graph(tmp_path / "harmless", calls("StringUpper"))
    assert loaded(tmp_path / "harmless").predict({"x": np.array("a")})["y"].tolist() == "A"
    put_graph(tmp_path / "harmful", calls("ReadFile"))
    assert "ReadFile (in its function __inner" in refusal(tmp_path / "harmful", Untrusted)


def test_many_refused_operators_make_one_readable_sentence(tmp_path: Path) -> None:
    def build() -> None:
        harmful = [tf.io.read_file("/etc/passwd"), tf.raw_ops.MatchingFiles(pattern="/*")[0]]
        harmful += [tf.raw_ops.RestoreV2(prefix="m", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.string])[0]]
        with tf.control_dependencies([tf.raw_ops.Abort(), tf.io.write_file("a", "b"), tf.raw_ops.TextLineReaderV2()]):
            tf.strings.join([*harmful, tf.strings.as_string(placeholder_x()[0, 0])], name="y")

    put_graph(tmp_path, build)
    error = refused(tmp_path, Untrusted)
    assert len(error.operators) == 6
    assert " and 2 more. A model file is a program" in str(error)
    assert len(str(error)) < 800


def test_an_operator_that_tensorflow_has_not_is_told_by_its_name_and_not_called_untrusted(tmp_path: Path) -> None:
    graph = tf1.GraphDef()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = tf.float32.as_datatype_enum
    graph.node.add(name="y", op="Addons>Gelu", input=["x"])
    put_graph(tmp_path, graph)
    error = refused(tmp_path, LoadError)
    assert "Addons>Gelu" in str(error)
    assert not isinstance(error, Untrusted)


def test_a_damaged_file_is_not_called_untrusted(tmp_path: Path) -> None:
    put_file(tmp_path, "m.pb", b"\xff" * 100)
    assert not isinstance(refused(tmp_path, LoadError), Untrusted)


def test_a_keras_file_that_brings_code_is_not_trusted(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda rows: rows * 2.0, name="doubled")])
    path = put_keras(tmp_path, model, "m.keras")
    assert refusal(tmp_path, Untrusted).startswith(f"{path} has Lambda layers (doubled)")
    trust(path)
    assert loaded(tmp_path).format == "keras"
