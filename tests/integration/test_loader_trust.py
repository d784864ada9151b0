"""A model file is a program: what could do more than compute is refused before TensorFlow sees it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store.errors import LoadError, Untrusted
from model_store.loader import load
from model_store.store import find_model
from model_store.trust.digest import artifact_digest
from tests import tiny_models

tf1 = tf.compat.v1
X = np.array([[1, 2, 3]], "float32")
X_SPEC = {"x": tf.TensorSpec((None, 3), tf.float32)}
TEXT_SPEC = {"text": tf.TensorSpec((None,), tf.string)}


def put_graph(store: Path, build: Callable[[], None], toml: str = "") -> Path:
    """Write the graph that `build` leaves in TensorFlow 1's default graph."""
    with tf.Graph().as_default() as graph:
        build()
    path = tiny_models.version_folder(store, "m", toml=toml) / "m.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def put_saved_model(store: Path, call: tiny_models.Call, specs: tiny_models.Specs = X_SPEC) -> Path:
    return tiny_models.save_saved_model(tiny_models.version_folder(store, "m"), call, specs)


def refused(store: Path) -> Untrusted:
    with pytest.raises(Untrusted) as caught:
        load(find_model(store, "m"))
    assert "\n" not in str(caught.value)
    return caught.value


def trust(path: Path) -> None:
    folder = path if path.is_dir() else path.parent
    (folder / "model.toml").write_text(f'trusted_sha256 = ["{artifact_digest(path)}"]')


def x() -> tf.Tensor:
    return tf1.placeholder(tf.float32, (None, 3), name="x")


def writer(file: Path) -> tiny_models.Call:
    def call(x: tf.Tensor) -> dict[str, tf.Tensor]:
        tf.io.write_file(str(file), "written")
        return {"y": x + 1.0}

    return call


def test_a_graph_that_writes_a_file_is_refused_and_does_not_write_it(tmp_path: Path) -> None:
    # Given a graph that computes, and writes a file beside that
    marker = tmp_path / "marker"

    def build() -> None:
        with tf.control_dependencies([tf.io.write_file(str(marker), "written")]):
            tf.add(x(), 1.0, name="y")

    path = put_graph(tmp_path / "store", build)

    # Then it is refused, with what is wrong and what to do
    error = refused(tmp_path / "store")
    assert "has the operators WriteFile (in the graph itself: they read or write files that the graph names)" in str(
        error
    )
    assert "`celeriac inspect` prints, into trusted_sha256 in its model.toml" in str(error)
    assert error.operators[0]["operator"] == "WriteFile"
    assert not marker.exists()

    # And it runs once this very file is trusted
    trust(path)
    assert load(find_model(tmp_path / "store", "m")).predict({"x": X})["y"].tolist() == [[2, 3, 4]]
    assert marker.read_text() == "written"


def test_trust_in_one_file_is_not_trust_in_another(tmp_path: Path) -> None:
    def build(suffix: str) -> None:
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / suffix), "")]):
            tf.add(x(), 1.0, name="y")

    trust(put_graph(tmp_path / "store", lambda: build("a")))
    put_graph(tmp_path / "other", lambda: build("b"))
    (tmp_path / "other" / "m" / "1" / "m.pb").rename(tmp_path / "store" / "m" / "1" / "m.pb")
    refused(tmp_path / "store")
    assert not (tmp_path / "b").exists()


def test_a_graph_that_reads_a_file_through_a_function_of_its_library_is_refused(tmp_path: Path) -> None:
    # Given a graph whose function calls another one, that reads a file
    @tf.function
    def read() -> tf.Tensor:
        return tf.io.read_file("/etc/passwd")

    @tf.function
    def harmless(x: tf.Tensor) -> tf.Tensor:
        return tf.cond(tf.reduce_sum(x) > 1e9, lambda: tf.strings.as_string(x[0, 0]), read)

    put_graph(tmp_path / "store", lambda: tf.identity(harmless(x()), name="y"))
    error = refused(tmp_path / "store")
    assert "ReadFile (in its function __inference_read" in str(error)
    assert [one["operator"] for one in error.operators] == ["ReadFile"]


def test_a_saved_model_that_writes_a_file_is_refused(tmp_path: Path) -> None:
    path = put_saved_model(tmp_path / "store", writer(tmp_path / "marker"))
    assert "WriteFile (in its function __inference_" in str(refused(tmp_path / "store"))
    trust(path)
    load(find_model(tmp_path / "store", "m")).predict({"x": X})
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
    folder = tiny_models.version_folder(tmp_path / "store", "m")
    tf.saved_model.save(module, str(folder), signatures=module.call.get_concrete_function(**X_SPEC))
    marker.unlink(missing_ok=True)

    # When it is opened, then nothing is written; TensorFlow alone would have
    assert "WriteFile (in its function __inference__initialize" in str(refused(tmp_path / "store"))
    assert not marker.exists()
    tf.saved_model.load(str(folder))
    assert marker.exists()


def test_a_saved_model_of_tensorflow_1_whose_init_op_writes_a_file_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    folder = tmp_path / "store" / "m" / "1"
    with tf.Graph().as_default(), tf1.Session() as session:
        rows = x()
        signature = tf1.saved_model.predict_signature_def({"x": rows}, {"y": rows + 1.0})
        builder = tf1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=tf.io.write_file(str(marker), "written")
        )
        builder.save()
    assert "WriteFile (in the graph itself" in str(refused(tmp_path / "store"))
    assert not marker.exists()


def test_what_nobody_serves_of_a_saved_model_may_read_files(tmp_path: Path) -> None:
    # Given a SavedModel of TensorFlow 1's kind, saved with variables and with all that it was trained by
    folder = tmp_path / "store" / "m" / "1"
    with tf.Graph().as_default(), tf1.Session() as session:
        names = tf1.data.make_one_shot_iterator(tf1.data.Dataset.from_tensors("training.jpg").repeat()).get_next()
        tf.io.decode_jpeg(tf.io.read_file(names))
        tf1.data.make_one_shot_iterator(tf1.data.TFRecordDataset("a").map(tf.io.read_file)).get_next()
        rows = x()
        weight = tf1.get_variable("weight", initializer=2.0)
        session.run(tf1.global_variables_initializer())
        tf1.saved_model.simple_save(session, str(folder), {"x": rows}, {"y": rows * weight})

    # Then it is served, saver and all
    assert load(find_model(tmp_path / "store", "m")).predict({"x": X})["y"].tolist() == [[2, 4, 6]]


def test_what_tensorflow_computes_when_it_only_imports_a_graph_may_not_read_files(tmp_path: Path) -> None:
    # Given a SavedModel with a shape that nobody needs, which TensorFlow would read from a file to know it
    folder = tmp_path / "store" / "m" / "1"
    (tmp_path / "shape").write_bytes(bytes(4))
    with tf.Graph().as_default(), tf1.Session() as session:
        rows = x()
        shape = tf.io.decode_raw(tf.io.read_file(str(tmp_path / "shape")), tf.int32)
        tf.reshape(tf1.placeholder(tf.float32), shape)
        tf1.saved_model.simple_save(session, str(folder), {"x": rows}, {"y": rows + 1.0})
    assert "ReadFile (in the graph itself" in str(refused(tmp_path / "store"))

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
    assert "ReadFile (in its function unused" in str(refused(tmp_path / "store"))


class Words(tf.Module):
    """Numbers words by a table that comes from a file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        rows = tf.lookup.TextFileInitializer(str(file), tf.string, whole, tf.int64, number)
        self.table = tf.lookup.StaticHashTable(rows, -1)
        self.call = tf.function(lambda text: {"number": self.table.lookup(text)})


def put_words(store: Path, tmp_path: Path) -> Path:
    words = tmp_path / "words.txt"
    words.write_text("one\ntwo\n")
    module = Words(words)
    folder = tiny_models.version_folder(store, "m")
    tf.saved_model.save(module, str(folder), signatures=module.call.get_concrete_function(**TEXT_SPEC))
    words.unlink()
    return folder


def test_a_table_may_come_from_the_models_own_assets(tmp_path: Path) -> None:
    put_words(tmp_path / "store", tmp_path)
    outputs = load(find_model(tmp_path / "store", "m")).predict({"text": np.array(["two", "three"])})
    assert outputs["number"].tolist() == [1, -1]


@pytest.mark.parametrize("name", ["../../secret.txt", "/etc/passwd"])
def test_an_asset_outside_the_models_folder_is_refused(tmp_path: Path, name: str) -> None:
    file = put_words(tmp_path / "store", tmp_path) / "saved_model.pb"
    content = SavedModel.FromString(file.read_bytes())
    content.meta_graphs[0].asset_file_def[0].filename = name
    file.write_bytes(content.SerializeToString())
    trust(file.parent)
    assert f"its asset {name!r} is not in the folder assets" in str(refused(tmp_path / "store"))


def table_of(file: tf.Tensor) -> tf.Tensor:
    """A table with the lines of a file, which is opened when the graph runs."""
    table = tf.raw_ops.AnonymousHashTable(key_dtype=tf.int64, value_dtype=tf.string)
    tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=table, filename=file, key_index=-1, value_index=-2, vocab_size=-1, delimiter="\t"
    )
    return tf.raw_ops.LookupTableFindV2(table_handle=table, keys=tf.constant([0], tf.int64), default_value="")


@pytest.mark.parametrize(
    "call",
    [
        lambda text: {"line": table_of(tf.constant("/etc/passwd"))},
        lambda text: {"line": table_of(text[0])},
        lambda text: {"line": tf.function(table_of)(tf.strings.join([text[0], "/passwd"]))},
    ],
    ids=["a constant", "the client's", "computed"],
)
def test_a_table_may_not_come_from_any_other_file(tmp_path: Path, call: tiny_models.Call) -> None:
    put_saved_model(tmp_path / "store", call, TEXT_SPEC)
    message = "they read a file whose name does not come from the SavedModel's own assets or variables"
    assert "InitializeTableFromTextFileV2 (in its function __inference_" in str(error := refused(tmp_path / "store"))
    assert message in str(error)


def test_what_is_printed_may_not_go_to_a_file(tmp_path: Path) -> None:
    def printer(stream: Any) -> tiny_models.Call:
        def call(x: tf.Tensor) -> dict[str, tf.Tensor]:
            tf.print("seen", output_stream=stream)
            return {"y": x + 1.0}

        return call

    put_saved_model(tmp_path / "log", printer(sys.stderr))
    load(find_model(tmp_path / "log", "m"))
    put_saved_model(tmp_path / "file", printer(f"file://{tmp_path}/marker"))
    assert "PrintV2 (in its function" in str(refused(tmp_path / "file"))


@pytest.mark.parametrize("is_by_name", [True, False], ids=["by its name", "by an operator"])
def test_what_a_function_prints_may_not_go_to_a_file_that_its_caller_names(tmp_path: Path, is_by_name: bool) -> None:
    # Given a function that prints to whatever stream it is called with
    @tf.function(input_signature=[tf.TensorSpec((None, 3))])
    def printed(x: tf.Tensor) -> tf.Tensor:
        tf.print("seen", output_stream=sys.stderr)
        return tf.identity(x)

    graph_def = tf1.GraphDef()
    graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = tf.float32.as_datatype_enum
    function = graph_def.library.function.add()
    function.CopyFrom(printed.get_concrete_function().function_def)
    function.signature.name = "printed"
    function.signature.attr.add(name="stream", type="string")
    next(node for node in function.node_def if node.op == "PrintV2").attr["output_stream"].placeholder = "stream"
    stream = tf1.AttrValue(s=f"file://{tmp_path}/marker".encode())

    # When the graph calls it with a file
    if is_by_name:
        graph_def.node.add(name="y", op="printed", input=["x"]).attr["stream"].CopyFrom(stream)
    else:
        call = graph_def.node.add(name="y", op="StatefulPartitionedCall", input=["x"])
        call.attr["Tin"].list.type.append(tf.float32.as_datatype_enum)
        call.attr["Tout"].list.type.append(tf.float32.as_datatype_enum)
        call.attr["f"].func.name = "printed"
        call.attr["f"].func.attr["stream"].CopyFrom(stream)
    (tiny_models.version_folder(tmp_path, "m") / "m.pb").write_bytes(graph_def.SerializeToString())

    # Then it is refused
    assert "PrintV2 (in its function printed" in str(refused(tmp_path))


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
    assert "WriteFile (in its function __inference_initialize" in str(refused(tmp_path))
    assert not (tmp_path / "marker").exists()


def test_an_operator_that_tensorflow_has_not_is_told_by_its_name_and_not_called_untrusted(tmp_path: Path) -> None:
    graph_def = tf1.GraphDef()
    graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = tf.float32.as_datatype_enum
    graph_def.node.add(name="y", op="Addons>Gelu", input=["x"])
    (tiny_models.version_folder(tmp_path, "m") / "m.pb").write_bytes(graph_def.SerializeToString())
    with pytest.raises(LoadError, match="Addons>Gelu") as caught:
        load(find_model(tmp_path, "m"))
    assert not isinstance(caught.value, Untrusted)


def test_a_keras_file_that_brings_code_is_not_trusted(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda rows: rows * 2.0, name="doubled")])
    path = tiny_models.save_keras(tiny_models.version_folder(tmp_path, "m") / "m.keras", model)
    assert str(refused(tmp_path)).startswith(f"{path} has Lambda layers (doubled)")
    trust(path)
    assert load(find_model(tmp_path, "m")).format == "keras"


def test_a_function_that_is_named_like_a_refused_operator_does_not_allow_it(tmp_path: Path) -> None:
    def build() -> None:
        tf.strings.join([tf.io.read_file("/etc/passwd"), tf.strings.as_string(x()[0, 0])], name="y")

    path = put_graph(tmp_path, build)
    graph_def = tf1.GraphDef.FromString(path.read_bytes())
    graph_def.library.function.add().signature.name = "ReadFile"
    path.write_bytes(graph_def.SerializeToString())
    assert "ReadFile (in the graph itself" in str(refused(tmp_path))


def test_a_function_may_be_called_by_its_name_as_tensorflow_1_does(tmp_path: Path) -> None:
    def put(name: str, read: str) -> None:
        graph_def = tf1.GraphDef()
        graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = tf.string.as_datatype_enum
        graph_def.node.add(name="y", op="__inner", input=["x"])
        function = graph_def.library.function.add()
        function.signature.name = "__inner"
        function.signature.input_arg.add(name="a", type=tf.string.as_datatype_enum)
        function.signature.output_arg.add(name="b", type=tf.string.as_datatype_enum)
        function.node_def.add(name="n", op=read, input=["a"])
        function.ret["b"] = f"n:{'contents' if read == 'ReadFile' else 'output'}:0"
        (tiny_models.version_folder(tmp_path, name) / "m.pb").write_bytes(graph_def.SerializeToString())

    put("harmless", "StringUpper")
    assert load(find_model(tmp_path, "harmless")).predict({"x": np.array("a")})["y"].tolist() == "A"
    put("m", "ReadFile")
    assert "ReadFile (in its function __inner" in str(refused(tmp_path))


def test_many_refused_operators_make_one_readable_sentence(tmp_path: Path) -> None:
    def build() -> None:
        harmful = [tf.io.read_file("/etc/passwd"), tf.raw_ops.MatchingFiles(pattern="/*")[0]]
        harmful += [tf.raw_ops.RestoreV2(prefix="m", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.string])[0]]
        with tf.control_dependencies([tf.raw_ops.Abort(), tf.io.write_file("a", "b"), tf.raw_ops.TextLineReaderV2()]):
            tf.strings.join([*harmful, tf.strings.as_string(x()[0, 0])], name="y")

    put_graph(tmp_path, build)
    error = refused(tmp_path)
    assert len(error.operators) == 6
    assert " and 2 more. A model file is a program" in str(error)
    assert len(str(error)) < 800


def test_a_damaged_file_is_not_called_untrusted(tmp_path: Path) -> None:
    put_graph(tmp_path, lambda: tf.add(x(), 1.0, name="y")).write_bytes(b"\xff" * 100)
    with pytest.raises(LoadError) as caught:
        load(find_model(tmp_path, "m"))
    assert not isinstance(caught.value, Untrusted)
