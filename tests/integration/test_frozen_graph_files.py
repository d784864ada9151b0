"""Files of graphs that are not what their name says, and what a graph needs beside itself: tables, other operations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from hypothesis import given, settings
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from model_store.errors import LoadError
from tests import tiny_models
from tests.damage import damaged
from tests.old_graphs import PRODUCER_OF_2015, assert_same, graph_def, placeholder_x, put_graph, session_run, tf1
from tests.opened_models import loaded, opened, put_file, refusal
from tests.saved_models import known_lines, line_numbers

X = np.array([[1, 2, 3], [4, 5, 6]], "float32")
WORDS = np.array(["cat", "dog", "cow"])


def linear() -> tf.Tensor:
    return tf.add(2 * placeholder_x(), 1.0, name="y")


def assert_linear(store: Path, format: str) -> None:
    model = opened(store)
    assert model.format == format
    name = next(iter(model.signature.inputs))
    assert [array.tolist() for array in model.predict({name: X}).values()] == [(2 * X + 1).tolist()]


@pytest.mark.parametrize("name", ["m.pb", "m.pbtxt"])
def test_a_graph_in_text_form_is_opened(tmp_path: Path, name: str) -> None:
    put_file(tmp_path, name, "# a comment\n" + text_format.MessageToString(graph_def(linear)))
    assert_linear(tmp_path, "frozen_graph")


@pytest.mark.parametrize("is_text", [False, True])
def test_a_meta_graph_without_variables_is_opened(tmp_path: Path, is_text: bool) -> None:
    meta_graph = MetaGraphDef(graph_def=graph_def(linear))
    meta_graph.meta_info_def.tensorflow_version = "1.4.0"
    put_file(tmp_path, "m.meta", text_format.MessageToString(meta_graph) if is_text else meta_graph.SerializeToString())
    assert_linear(tmp_path, "frozen_graph")


def test_the_graph_of_a_checkpoint_is_told_to_be_frozen_first(tmp_path: Path) -> None:
    graph = graph_def(lambda: tf.add(linear(), tf1.get_variable("bias", (3,)), name="z"))
    put_file(tmp_path, "model.ckpt-1.meta", MetaGraphDef(graph_def=graph).SerializeToString())
    assert "it is a graph that is not frozen: the values of its variables, such as bias" in refusal(tmp_path)


def test_a_variable_that_the_outputs_do_not_need_does_no_harm(tmp_path: Path) -> None:
    def build() -> None:
        linear()
        tf1.train.get_or_create_global_step()

    put_graph(tmp_path, build)
    assert_linear(tmp_path, "frozen_graph")


def test_what_lies_beside_a_graph_in_other_forms_does_not_compete_with_it(tmp_path: Path) -> None:
    folder = put_graph(tmp_path, linear).parent
    (folder / "label_map.pbtxt").write_text('item {\n  id: 1\n  name: "hand"\n}\n')
    (folder / "model.ckpt.meta").write_bytes(b"anything")
    (folder / "fingerprint.pb").write_bytes(b"anything")
    assert_linear(tmp_path, "frozen_graph")


def test_names_of_classes_are_no_graph(tmp_path: Path) -> None:
    put_file(tmp_path, "label_map.pbtxt", 'item {\n  id: 1\n  name: "hand"\n}\n')
    assert "a list of the names of a detector's classes" in refusal(tmp_path)


def test_a_frozen_graph_by_the_name_of_a_saved_model_is_opened(tmp_path: Path) -> None:
    put_graph(tmp_path, linear, name="saved_model.pb")
    assert_linear(tmp_path, "frozen_graph")


def test_a_saved_model_by_another_name_is_opened_with_its_variables(tmp_path: Path) -> None:
    folder = tiny_models.version_folder(tmp_path, "m")
    tiny_models.linear_keras().export(folder, verbose=False)
    (folder / "saved_model.pb").rename(folder / "frozen.pb")
    assert_linear(tmp_path, "saved_model")


def test_a_saved_model_in_text_form_is_opened(tmp_path: Path) -> None:
    folder = tiny_models.version_folder(tmp_path, "m")
    tiny_models.linear_keras().export(folder, verbose=False)
    content = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (folder / "saved_model.pb").unlink()
    (folder / "saved_model.pbtxt").write_text(text_format.MessageToString(content))
    assert_linear(tmp_path, "saved_model")


def test_a_saved_model_that_needs_no_variables_is_opened_without(tmp_path: Path) -> None:
    source = tiny_models.add_linear(tmp_path / "source")
    put_file(tmp_path, "linear.pb", (source / "saved_model.pb").read_bytes())
    assert_linear(tmp_path, "saved_model")


def test_a_saved_models_file_that_lost_its_variables_is_told_so(tmp_path: Path) -> None:
    source = tmp_path / "source"
    tiny_models.linear_keras().export(source, verbose=False)
    put_file(tmp_path, "frozen.pb", (source / "saved_model.pb").read_bytes())
    assert "misses variables.index, variables.data-00000-of-00001: a SavedModel is its whole folder" in refusal(
        tmp_path
    )


def test_a_graph_that_lost_nodes_is_told_as_damaged(tmp_path: Path) -> None:
    graph = graph_def(linear)
    del graph.node[0]
    put_graph(tmp_path, graph)
    assert "takes x, which it does not have: it is damaged or only a part" in refusal(tmp_path)


@settings(max_examples=60)
@given(content=damaged([graph_def(linear).SerializeToString()]))
def test_a_damaged_graph_is_opened_or_refused_with_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    store = tmp_path_factory.mktemp("store")
    put_file(store, "m.pb", content)
    try:
        loaded(store)
    except LoadError as error:
        assert "m.pb" in str(error)
        assert "\n" not in str(error)


def lookup(table: Any) -> None:
    tf.identity(table.lookup(tf1.placeholder(tf.string, (None,), name="word")), name="number")
    tf1.tables_initializer(name="init_all_tables")


def table_of_values() -> None:
    numbers = tf.constant([7, 8], tf.int64)
    lookup(known_lines(tf.lookup.KeyValueTensorInitializer(["cat", "dog"], numbers)))


def table_of_file(name: str) -> Callable[[], None]:
    def build() -> None:
        lookup(known_lines(line_numbers(name)))

    return build


def as_in_2016(graph: Any) -> Any:
    """The same with tables that are held by reference, as before TensorFlow 1.3."""
    old_names = {
        "HashTableV2": "HashTable",
        "LookupTableFindV2": "LookupTableFind",
        "LookupTableImportV2": "InitializeTable",
    }
    for node in graph.node:
        node.op = old_names.get(node.op, node.op)
        if node.op == "InitializeTable":
            for new, old in (("Tin", "Tkey"), ("Tout", "Tval")):
                node.attr[old].CopyFrom(node.attr.pop(new))
    return graph


@pytest.mark.parametrize("change", [lambda graph: graph, as_in_2016], ids=["by handle", "by reference"])
def test_a_table_is_filled_with_the_values_in_the_graph(tmp_path: Path, change: Callable[[Any], Any]) -> None:
    graph = change(graph_def(table_of_values))
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert list(model.signature.inputs) == ["word"]
    assert list(model.signature.outputs) == ["number"]
    expected = session_run(graph, {"word": WORDS}, ["number"], first="init_all_tables")
    assert model.predict({"word": WORDS})["number"].tolist() == expected["number"].tolist() == [7, 8, -1]


@pytest.mark.parametrize("told", ["{folder}/words.txt", "/home/somebody/words.txt", "C:\\data\\words.txt"])
def test_a_table_is_filled_from_the_text_file_beside_the_graph_whatever_folder_it_names(
    tmp_path: Path, told: str
) -> None:
    file = put_graph(tmp_path, table_of_file(told.format(folder=tmp_path)))
    assert "its table hash_table is filled from the text file 'words.txt', which must lie beside it" in refusal(
        tmp_path
    )
    (file.parent / "words.txt").write_text("cat\ndog\n")
    model = opened(tmp_path)
    (file.parent / "words.txt").unlink()
    assert model.predict({"word": WORDS})["number"].tolist() == [0, 1, -1]


def test_a_table_that_nothing_fills_is_told(tmp_path: Path) -> None:
    graph = graph_def(table_of_values)
    kept = [node for node in graph.node if "Import" not in node.op and node.op != "NoOp"]
    del graph.node[:]
    graph.node.extend(kept)
    put_graph(tmp_path, graph)
    assert "its table hash_table stays empty, as what fills it was cut off" in refusal(tmp_path)


def test_two_models_with_tables_of_the_same_name_do_not_mix(tmp_path: Path) -> None:
    put_graph(tmp_path / "a", table_of_values)
    file = put_graph(tmp_path / "b", table_of_file("words.txt"))
    (file.parent / "words.txt").write_text("dog\n")
    first, second = opened(tmp_path / "a"), opened(tmp_path / "b")
    assert first.predict({"word": WORDS})["number"].tolist() == [7, 8, -1]
    assert second.predict({"word": WORDS})["number"].tolist() == [-1, 0, -1]


def graph_of_2015(is_scaled: bool) -> Any:
    """The normalization and the choice of the best with which the first published graphs were written."""
    graph = graph_def(lambda: tf1.placeholder(tf.float32, (None, None, None, 3), name="x"))
    graph.versions.producer = PRODUCER_OF_2015
    dtype = graph.node[0].attr["dtype"]
    names = ("mean", "variance", "beta", "gamma")
    for name, values in zip(names, np.random.default_rng(0).random((4, 3), np.float32), strict=True):
        constant = graph.node.add(name=name, op="Const")
        constant.attr["dtype"].CopyFrom(dtype)
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))
    node = graph.node.add(name="y", op="BatchNormWithGlobalNormalization", input=["x", *names])
    node.attr["T"].CopyFrom(dtype)
    node.attr["variance_epsilon"].f = 0.001
    node.attr["scale_after_normalization"].b = is_scaled
    return graph


@pytest.mark.parametrize("is_scaled", [False, True])
def test_a_normalization_of_2015_gives_what_a_session_gives(tmp_path: Path, is_scaled: bool) -> None:
    graph = graph_of_2015(is_scaled)
    put_graph(tmp_path, graph)
    x = np.random.default_rng(1).random((2, 4, 4, 3), np.float32)
    assert_same(opened(tmp_path), graph, {"x": x}, {"x": x})


def test_a_choice_of_the_best_of_2015_gives_what_todays_gives(tmp_path: Path) -> None:
    graph = graph_def(lambda: placeholder_x())
    node = graph.node.add(name="best", op="TopK", input=["x"])
    node.attr["T"].CopyFrom(graph.node[0].attr["dtype"])
    node.attr["k"].i = 2
    put_graph(tmp_path, graph)
    outputs = opened(tmp_path).predict({"x": X})
    assert outputs["best"].tolist() == [[3, 2], [6, 5]]
    assert outputs["best:1"].tolist() == [[2, 1], [2, 1]]


def test_devices_of_the_machine_that_wrote_it_do_not_matter(tmp_path: Path) -> None:
    graph = graph_def(linear)
    for node in graph.node:
        node.device = "/job:worker/replica:0/task:7/device:GPU:3"
        node.attr["_class"].list.s.append(b"loc:@somewhere")
    put_graph(tmp_path, graph)
    assert_linear(tmp_path, "frozen_graph")
