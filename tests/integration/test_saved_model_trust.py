"""What of a SavedModel could do more than compute, while it is loaded or later: its folder is refused before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store.errors import Untrusted
from tests import tiny_models
from tests.old_graphs import placeholder_x, tf1
from tests.opened_models import loaded, put_module, put_saved_model, refusal, trust

X = np.array([[1, 2, 3]], "float32")


def writer(file: Path) -> tiny_models.Call:
    def call(x: tf.Tensor) -> dict[str, tf.Tensor]:
        tf.io.write_file(str(file), "written")
        return {"y": x + 1.0}

    return call


def test_a_saved_model_that_writes_a_file_is_refused(tmp_path: Path) -> None:
    path = put_saved_model(tmp_path / "store", writer(tmp_path / "marker"), **tiny_models.LINEAR_SPEC)
    assert "WriteFile (in its function __inference_" in refusal(tmp_path / "store", Untrusted)
    trust(path)
    loaded(tmp_path / "store").predict({"x": X})
    assert (tmp_path / "marker").exists()


def test_a_saved_model_that_writes_a_file_while_it_is_loaded_does_not(tmp_path: Path) -> None:
    # Given a resource whose initializer writes a file: TensorFlow runs it when it loads the folder
    marker = tmp_path / "marker"

    class Resource(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self) -> tf.Tensor:
            return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[])

        def _initialize(self) -> None:
            tf.io.write_file(str(marker), "written")

    module = tf.Module()
    module.resource = Resource()
    module.call = tf.function(tiny_models.linear)
    folder = put_module(tmp_path / "store", module, **tiny_models.LINEAR_SPEC)
    marker.unlink(missing_ok=True)

    # When it is opened, then nothing is written; TensorFlow alone would have
    assert "WriteFile (in its function __inference__initialize" in refusal(tmp_path / "store", Untrusted)
    assert not marker.exists()
    tf.saved_model.load(str(folder))
    assert marker.exists()


def test_a_saved_model_of_tensorflow_1_whose_init_op_writes_a_file_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    folder = tmp_path / "store" / "m" / "1"
    with tf.Graph().as_default(), tf1.Session() as session:
        rows = placeholder_x()
        signature = tf1.saved_model.predict_signature_def({"x": rows}, {"y": rows + 1.0})
        builder = tf1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=tf.io.write_file(str(marker), "written")
        )
        builder.save()
    assert "WriteFile (in the graph itself" in refusal(tmp_path / "store", Untrusted)
    assert not marker.exists()


def test_what_nobody_serves_of_a_saved_model_may_read_files(tmp_path: Path) -> None:
    # Given a SavedModel of TensorFlow 1's kind, saved with variables and with all that it was trained by
    folder = tmp_path / "store" / "m" / "1"
    with tf.Graph().as_default(), tf1.Session() as session:
        names = tf1.data.make_one_shot_iterator(tf1.data.Dataset.from_tensors("training.jpg").repeat()).get_next()
        tf.io.decode_jpeg(tf.io.read_file(names))
        tf1.data.make_one_shot_iterator(tf1.data.TFRecordDataset("a").map(tf.io.read_file)).get_next()
        rows = placeholder_x()
        weight = tf1.get_variable("weight", initializer=2.0)
        session.run(tf1.global_variables_initializer())
        tf1.saved_model.simple_save(session, str(folder), {"x": rows}, {"y": rows * weight})

    # Then it is served, saver and all
    assert loaded(tmp_path / "store").predict({"x": X})["y"].tolist() == [[2, 4, 6]]


def test_what_tensorflow_computes_when_it_only_imports_a_graph_may_not_read_files(tmp_path: Path) -> None:
    # Given a SavedModel with a shape that nobody needs, which TensorFlow would read from a file to know it
    folder = tmp_path / "store" / "m" / "1"
    (tmp_path / "shape").write_bytes(bytes(4))
    with tf.Graph().as_default(), tf1.Session() as session:
        rows = placeholder_x()
        shape = tf.io.decode_raw(tf.io.read_file(str(tmp_path / "shape")), tf.int32)
        tf.reshape(tf1.placeholder(tf.float32), shape)
        tf1.saved_model.simple_save(session, str(folder), {"x": rows}, {"y": rows + 1.0})
    assert "ReadFile (in the graph itself" in refusal(tmp_path / "store", Untrusted)

    # And one with the same in a function of its library that nobody calls
    content = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph_def = content.meta_graphs[0].graph_def
    function = graph_def.library.function.add()
    function.signature.name = "unused"
    function.node_def.extend(node for node in graph_def.node if node.name != "x")
    kept = [node for node in graph_def.node if node.op != "ReadFile"]
    del graph_def.node[:]
    graph_def.node.extend(kept)
    (folder / "saved_model.pb").write_bytes(content.SerializeToString())
    assert "ReadFile (in its function unused" in refusal(tmp_path / "store", Untrusted)


def test_an_initializer_that_is_not_in_the_list_of_functions_does_not_run(tmp_path: Path) -> None:
    # Given a SavedModel with a resource whose initializer writes a file
    class Module(tf.Module):
        @tf.function(input_signature=[])
        def initialize(self) -> None:
            tf.io.write_file(f"{tmp_path}/marker", "written")

        @tf.function(input_signature=[tf.TensorSpec((None, 3))])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": x + 1.0}

    module = Module()
    folder = tiny_models.version_folder(tmp_path, "m") / "model"
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    file = folder / "saved_model.pb"
    content = SavedModel.FromString(file.read_bytes())
    objects = content.meta_graphs[0].object_graph_def
    name = next(name for name in objects.concrete_functions if "initialize" in name)
    place = next(child.node_id for child in objects.nodes[0].children if child.local_name == "initialize")
    objects.nodes[place].Clear()
    objects.nodes[place].bare_concrete_function.concrete_function_name = name
    objects.nodes.add().resource.SetInParent()
    for method in ("_create_resource", "_initialize"):
        objects.nodes[-1].children.add(node_id=place, local_name=method)
    objects.nodes[0].children.add(node_id=len(objects.nodes) - 1, local_name="resource")

    # When the list of its functions does not have it
    del objects.concrete_functions[name]
    for node in objects.nodes:
        if name == node.bare_concrete_function.concrete_function_name:
            node.bare_concrete_function.ClearField("function_spec")
    file.write_bytes(content.SerializeToString())

    # Then it is seen nevertheless
    assert "WriteFile (in its function __inference_initialize" in refusal(tmp_path, Untrusted)
    assert not (tmp_path / "marker").exists()
