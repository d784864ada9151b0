"""Which files a model may name: its own assets and the log, and no other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store.errors import Untrusted
from tests import tiny_models
from tests.old_graphs import put_graph, tf1
from tests.opened_models import loaded, put_saved_model, refusal, trust
from tests.saved_models import put_words


def test_a_table_may_come_from_the_models_own_assets(tmp_path: Path) -> None:
    put_words(tmp_path / "store", tmp_path / "words.txt")
    outputs = loaded(tmp_path / "store").predict({"text": np.array(["dog", "cow"])})
    assert outputs["number"].tolist() == [1, -1]


@pytest.mark.parametrize("name", ["../../secret.txt", "/etc/passwd"])
def test_an_asset_outside_the_models_folder_is_refused(tmp_path: Path, name: str) -> None:
    file = put_words(tmp_path / "store", tmp_path / "words.txt") / "saved_model.pb"
    content = SavedModel.FromString(file.read_bytes())
    content.meta_graphs[0].asset_file_def[0].filename = name
    file.write_bytes(content.SerializeToString())
    trust(file.parent)
    assert f"its asset {name!r} is not in the folder assets" in refusal(tmp_path / "store", Untrusted)


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
    put_saved_model(tmp_path / "store", call, **tiny_models.TEXT_SPEC)
    message = refusal(tmp_path / "store", Untrusted)
    assert "InitializeTableFromTextFileV2 (in its function __inference_" in message
    assert "they read a file whose name does not come from the SavedModel's own assets or variables" in message


def test_what_is_printed_may_not_go_to_a_file(tmp_path: Path) -> None:
    def printer(stream: Any) -> tiny_models.Call:
        def call(x: tf.Tensor) -> dict[str, tf.Tensor]:
            tf.print("seen", output_stream=stream)
            return {"y": x + 1.0}

        return call

    put_saved_model(tmp_path / "log", printer(sys.stderr), **tiny_models.LINEAR_SPEC)
    loaded(tmp_path / "log")
    put_saved_model(tmp_path / "file", printer(f"file://{tmp_path}/marker"), **tiny_models.LINEAR_SPEC)
    assert "PrintV2 (in its function" in refusal(tmp_path / "file", Untrusted)


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
    put_graph(tmp_path, graph_def)

    # Then it is refused
    assert "PrintV2 (in its function printed" in refusal(tmp_path, Untrusted)
