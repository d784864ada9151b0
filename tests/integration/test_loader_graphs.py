"""What frozen graphs and SavedModels leave to be found out: inputs, outputs, signatures."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store.errors import LoadError, SpecError
from model_store.loader import load
from model_store.model import Model
from model_store.store import find_model
from tests import tiny_models

tf1 = tf.compat.v1
X = np.array([[1, 2, 3]], "float32")


def put_graph(store: Path, build: Callable[[], None], toml: str = "") -> None:
    """Write the graph that `build` leaves in TensorFlow 1's default graph."""
    with tf.Graph().as_default() as graph:
        build()
    folder = tiny_models.version_folder(store, "m", toml=toml)
    (folder / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())


def loaded(store: Path) -> Model:
    model = load(find_model(store, "m"))
    model.warm_up()
    return model


def refusal(store: Path) -> str:
    with pytest.raises(LoadError) as caught:
        load(find_model(store, "m"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def x() -> tf.Tensor:
    return tf1.placeholder(tf.float32, (None, 3), name="x")


def test_the_outputs_are_the_nodes_that_feed_no_other(tmp_path: Path) -> None:
    def build() -> None:
        doubled = tf.multiply(x(), 2.0, name="doubled")
        tf.add(doubled, 1.0, name="more")
        tf.subtract(doubled, 1.0, name="less")
        with tf.control_dependencies([tf.debugging.Assert(tf.constant(True), [doubled])]):
            tf.no_op(name="init")

    put_graph(tmp_path, build)
    outputs = loaded(tmp_path).predict({"x": X})
    assert {name: array.tolist() for name, array in outputs.items()} == {"more": [[3, 5, 7]], "less": [[1, 3, 5]]}


def test_the_object_detection_names_are_the_outputs_whatever_else_ends_loose(tmp_path: Path) -> None:
    def build() -> None:
        image = tf1.placeholder(tf.uint8, (None, None, None, 3), name="image_tensor")
        for name, tensor in tiny_models.detector(image).items():
            tf.identity(tensor, name=name)
        tf.identity(image, name="Preprocessor/leftover")

    put_graph(tmp_path, build)
    assert set(loaded(tmp_path).signature.outputs) == {
        *("detection_boxes", "detection_classes", "detection_scores", "num_detections")
    }


def test_model_toml_names_the_outputs_also_inner_ones(tmp_path: Path) -> None:
    def build() -> None:
        tf.add(tf.multiply(x(), 2.0, name="doubled"), 1.0, name="more")

    put_graph(tmp_path, build, toml='outputs = ["doubled:0"]')
    assert loaded(tmp_path).predict({"x": X})["doubled"].tolist() == [[2, 4, 6]]


def test_an_output_that_the_graph_has_not_is_named(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.identity(x(), name="y"), toml='outputs = ["z"]')
    assert "it has no node z, which outputs in model.toml asks for" in refusal(tmp_path)


def test_a_node_with_several_tensors_gives_all_of_them(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.unstack(x(), 3, axis=1, name="parts"))
    outputs = loaded(tmp_path).predict({"x": X})
    assert {name: array.tolist() for name, array in outputs.items()} == {
        "parts": [1],
        "parts:1": [2],
        "parts:2": [3],
    }


def test_a_placeholder_that_no_output_needs_is_no_input(tmp_path: Path) -> None:
    def build() -> None:
        tf1.placeholder(tf.float32, (None, 7), name="labels")
        tf.add(x(), 1.0, name="y")

    put_graph(tmp_path, build)
    assert list(loaded(tmp_path).signature.inputs) == ["x"]


def test_a_placeholder_with_a_default_keeps_it(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.multiply(x(), tf1.placeholder_with_default(3.0, (), name="factor"), name="y"))
    model = loaded(tmp_path)
    assert list(model.signature.inputs) == ["x"]
    assert model.predict({"x": X})["y"].tolist() == [[3, 6, 9]]


def test_switches_of_training_are_set_to_use(tmp_path: Path) -> None:
    # Given a graph of TensorFlow 1's days, which was told whether it trains and what to keep
    def build() -> None:
        trains = tf1.placeholder(tf.bool, (), name="is_training")
        keep = tf1.placeholder(tf.float32, name="dropout/keep_prob")
        rows = x()
        tf.multiply(tf.where(trains, rows * 100, rows), keep, name="y")

    put_graph(tmp_path, build)

    # Then nobody needs to tell it
    model = loaded(tmp_path)
    assert list(model.signature.inputs) == ["x"]
    assert model.predict({"x": X})["y"].tolist() == X.tolist()


def test_a_placeholder_of_unknown_shape_takes_any(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.add(tf1.placeholder(tf.float32, name="x"), 1.0, name="y"))
    model = loaded(tmp_path)
    assert model.signature.inputs["x"].shape is None
    assert model.signature.outputs["y"].shape == (None, None)
    assert model.predict({"x": X})["y"].tolist() == [[2, 3, 4]]


def test_a_graph_with_variables_is_not_frozen(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.add(x(), tf1.get_variable("bias", (3,)), name="y"))
    assert "a graph that is not frozen" in refusal(tmp_path)
    assert "bias" in refusal(tmp_path)


def test_an_operation_that_tensorflow_has_not_is_named(tmp_path: Path) -> None:
    graph = tf1.GraphDef()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = tf.float32.as_datatype_enum
    graph.node.add(name="y", op="MyFancyOperation", input=["x"])
    (tiny_models.version_folder(tmp_path, "m") / "m.pb").write_bytes(graph.SerializeToString())
    assert "MyFancyOperation" in refusal(tmp_path)


def test_a_graph_without_results_is_refused(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: x())
    assert "it has no outputs" in refusal(tmp_path)


def test_a_graph_that_takes_nothing_is_refused(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.add(tf.constant(1.0), 1.0, name="y"))
    assert "it has no inputs: no placeholder leads to its outputs y" in refusal(tmp_path)


def test_a_type_that_numpy_has_not_is_refused(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.cast(x(), tf.bfloat16, name="y"))
    assert "its tensor 'y' is of TensorFlow's type bfloat16" in refusal(tmp_path)


def put_saved_model(store: Path, toml: str = "", **signatures: float) -> Path:
    """A SavedModel with a signature y = factor * x for each name."""
    folder = tiny_models.version_folder(store, "m", toml=toml)
    module = tf.Module()
    module.functions = {
        name: tf.function(lambda x, factor=factor: {"y": factor * x, "x_again": x}, [tiny_models.LINEAR_SPEC["x"]])
        for name, factor in signatures.items()
    }
    tf.saved_model.save(module, str(folder), signatures=dict(module.functions))
    return folder


def test_of_several_signatures_the_default_is_taken(tmp_path: Path) -> None:
    put_saved_model(tmp_path, predict=2.0, serving_default=3.0)
    assert loaded(tmp_path).predict({"x": X})["y"].tolist() == [[3, 6, 9]]


def test_an_only_signature_is_taken_whatever_its_name(tmp_path: Path) -> None:
    put_saved_model(tmp_path, predict=2.0)
    assert loaded(tmp_path).predict({"x": X})["y"].tolist() == [[2, 4, 6]]


def test_of_several_signatures_none_of_which_is_the_default_a_usual_one_is_taken(tmp_path: Path) -> None:
    put_saved_model(tmp_path, classify=1.0, predict=2.0)
    assert loaded(tmp_path).predict({"x": X})["y"].tolist() == [[2, 4, 6]]


def test_a_saved_model_without_signatures_is_told_how_to_get_one(tmp_path: Path) -> None:
    put_saved_model(tmp_path)
    assert "it has no signatures and no functions; export it again with model.export(folder)" in refusal(tmp_path)


def test_model_toml_leaves_only_the_outputs_wanted(tmp_path: Path) -> None:
    put_saved_model(tmp_path, toml='outputs = ["y"]', predict=2.0)
    assert list(loaded(tmp_path).predict({"x": X})) == ["y"]


def test_a_wanted_output_that_a_saved_model_has_not_is_told_with_those_it_has(tmp_path: Path) -> None:
    put_saved_model(tmp_path, toml='outputs = ["z"]', predict=2.0)
    with pytest.raises(SpecError, match=r"model\.toml: outputs has z, but the model's are x_again, y\."):
        load(find_model(tmp_path, "m"))


def test_a_saved_model_that_still_holds_its_optimizer_is_served(tmp_path: Path) -> None:
    # Given a SavedModel with weights, one of which has an optimizer's slot, as Keras 2 left it behind
    folder = tiny_models.version_folder(tmp_path, "m")
    module = tf.Module()
    module.factor, module.slot = tf.Variable(2.0), tf.Variable(0.0)
    module.call = tf.function(lambda x: {"y": module.factor * x}, [tiny_models.LINEAR_SPEC["x"]])
    tf.saved_model.save(module, str(folder), signatures=module.call.get_concrete_function())
    content = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    root = content.meta_graphs[0].object_graph_def.nodes[0]
    ids = {child.local_name: child.node_id for child in root.children}
    root.slot_variables.add(
        original_variable_node_id=ids["factor"], slot_variable_node_id=ids["slot"], slot_name="momentum"
    )
    (folder / "saved_model.pb").write_bytes(content.SerializeToString())
    with pytest.raises(AttributeError, match="add_slot"):
        tf.saved_model.load(str(folder))

    # Then its graph is served without it
    assert loaded(tmp_path).predict({"x": X})["y"].tolist() == [[2, 4, 6]]


def test_a_saved_model_that_looks_words_up_in_a_file_is_served(tmp_path: Path) -> None:
    # Given a SavedModel with a table that is filled from an asset
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")
    module = tf.Module()
    module.table = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        ),
        1,
    )
    module.call = tf.function(lambda text: {"number": module.table.lookup(text)}, [tiny_models.TEXT_SPEC["text"]])
    folder = tiny_models.version_folder(tmp_path / "store", "m")
    tf.saved_model.save(module, str(folder), signatures=module.call.get_concrete_function())
    words.unlink()

    # Then the table comes with it, and stays
    model = loaded(tmp_path / "store")
    gc.collect()
    assert model.predict({"text": np.array(["dog", "cat", "cow"])})["number"].tolist() == [1, 0, 2]
