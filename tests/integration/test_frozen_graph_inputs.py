"""Where values enter a frozen graph: each kind of head, compared with a Session that is fed in the same place."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from model_store.errors import InvalidInput, LoadError, SpecError, Untrusted
from model_store.loader import load
from model_store.signature import TensorSpec
from model_store.store import find_model
from tests import tiny_models
from tests.old_graphs import assert_same, graph_def, opened, put_graph, tf1

X = np.array([[1, 2, 3], [4, 5, 6]], "float32")
WEIGHTS = np.arange(12, dtype="float32").reshape(3, 4)


def dropout_by_hand(x: tf.Tensor, keep: tf.Tensor) -> tf.Tensor:
    """As tf.nn.dropout computed it until TensorFlow 1.13: what is kept, is divided by its share."""
    return tf1.div(x, keep) * tf.floor(tf.random.uniform(tf.shape(x)) + keep)


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


@pytest.mark.parametrize(
    ("name", "dtype", "in_use"),
    [
        *(("is_training", tf.bool, False), ("phase_train", tf.bool, False), ("model/train_mode_1", tf.bool, False)),
        *(("keras_learning_phase", tf.bool, False), ("isTraining", tf.int32, 0), ("training", tf.float32, 0)),
        *(("keep_prob", tf.float32, 1), ("dropout_keep_prob", tf.float32, 1), ("inference", tf.bool, True)),
    ],
)
@pytest.mark.parametrize("kind", ["placeholder", "placeholder with the default of training"])
def test_a_switch_of_training_is_set_to_use(
    tmp_path: Path, name: str, dtype: tf.DType, in_use: float, kind: str
) -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, (None, 3), name="x")
        other = tf.cast(not in_use if dtype == tf.bool else in_use + 1, dtype)
        is_open = kind == "placeholder"
        switch = tf1.placeholder(dtype, (), name) if is_open else tf1.placeholder_with_default(other, (), name)
        tf.multiply(x, 3.0 + tf.cast(switch, tf.float32), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = load(find_model(tmp_path, "m"))
    assert list(model.signature.inputs) == ["x"]
    assert_same(model, graph, {"x": X, name: in_use}, {"x": X})


def test_a_dropout_that_was_fed_what_it_keeps_keeps_all(tmp_path: Path) -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, (None, 3), name="x")
        tf.identity(dropout_by_hand(x, tf1.placeholder(tf.float32, name="dropout")), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    assert_same(opened(tmp_path), graph, {"x": X, "dropout": 1}, {"x": X})


def test_a_dropout_that_was_fed_a_rate_drops_nothing(tmp_path: Path) -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, (None, 3), name="x")
        tf.identity(tf1.nn.dropout(x, rate=tf1.placeholder(tf.float32, (), name="dropout")), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    assert_same(opened(tmp_path), graph, {"x": X, "dropout": 0}, {"x": X})


def test_a_scalar_that_is_no_switch_is_an_input(tmp_path: Path) -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, (None, 3), name="x")
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
        x = tf1.placeholder(tf.float32, (None, 3), name="x")
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
    with pytest.raises(LoadError, match=reason):
        load(find_model(tmp_path, "m"))


def test_inputs_are_not_chosen_for_files_that_tell_their_own(tmp_path: Path) -> None:
    tiny_models.add_linear(tmp_path, "m", toml='inputs = ["x"]')
    with pytest.raises(SpecError, match=r"model.toml: inputs is for frozen graphs; this model's are x."):
        load(find_model(tmp_path, "m"))


def image(shape: tuple[int | None, ...] | None = None) -> tf.Tensor:
    return tf1.placeholder(tf.float32, shape, name="image")


def convolution(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(x, np.ones((3, 3, 3, 2), "float32"), 1, "SAME", name="y")


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (lambda: convolution(image()), (None, None, None, 3)),
        (lambda: convolution(image((None, None, None, None)) / 255.0 - 0.5), (None, None, None, 3)),
        (lambda: convolution(tf.image.resize(image((None, None, None, None)), (8, 8))), (None, None, None, 3)),
        (lambda: tf.matmul(tf1.placeholder(tf.float32, name="image"), WEIGHTS, name="y"), (None, 3)),
        (
            lambda: tf.nn.conv1d(image((None, None, None)), np.ones((3, 5, 2), "float32"), 1, "SAME", name="y"),
            (None, None, 5),
        ),
        (lambda: tf.transpose(image(), (0, 2, 1), name="y"), (None, None, None)),
    ],
)
def test_a_shape_that_was_not_declared_is_told_by_what_computes_with_it(
    tmp_path: Path, build: Callable[[], tf.Tensor], shape: tuple[int | None, ...]
) -> None:
    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert model.signature.inputs["image"].shape == shape
    x = np.random.default_rng(0).random([size or 4 for size in shape], np.float32)
    assert_same(model, graph, {"image": x}, {"image": x})
    with pytest.raises(InvalidInput):
        model.predict({"image": x[0]})


def test_a_rank_is_found_beside_a_switch(tmp_path: Path) -> None:
    def build() -> None:
        trains = tf1.placeholder(tf.bool, name="is_training")
        turned = tf.transpose(image(), (0, 2, 1))
        tf.identity(tf1.cond(trains, lambda: turned, lambda: 2 * turned), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    model = opened(tmp_path)
    assert model.signature.inputs == {"image": TensorSpec("float32", (None, None, None))}
    x = np.ones((2, 3, 4), "float32")
    assert_same(model, graph, {"image": x, "is_training": False}, {"image": x})


def test_a_shape_that_the_writer_noted_is_used(tmp_path: Path) -> None:
    graph = graph_def(lambda: tf.add(tf1.placeholder(tf.float32, (None, 3), name="x"), 1.0, name="y"))
    shape = graph.node[0].attr["shape"].shape
    graph.node[0].attr["_output_shapes"].list.shape.add().CopyFrom(shape)
    del graph.node[0].attr["shape"]
    put_graph(tmp_path, graph)
    assert opened(tmp_path).signature.inputs["x"].shape == (None, 3)


def jpeg(colour: tuple[int, int, int]) -> bytes:
    file = BytesIO()
    Image.new("RGB", (16, 16), colour).save(file, "JPEG")
    return file.getvalue()


def decoded(content: tf.Tensor) -> None:
    picture = tf.image.decode_jpeg(content, channels=3, name="DecodeJpeg")
    tf.reduce_mean(tf.cast(picture, tf.float32), axis=[0, 1], name="y")


def test_a_picture_that_the_graph_decodes_is_given_as_its_file(tmp_path: Path) -> None:
    graph = graph_def(lambda: decoded(tf1.placeholder(tf.string, (), name="content")))
    put_graph(tmp_path, graph)
    content = {"content": np.array(jpeg((200, 100, 0)), object)}
    assert_same(opened(tmp_path), graph, content, content)


def test_the_constant_that_graphs_of_2015_were_fed_in_place_of_is_an_input(tmp_path: Path) -> None:
    graph = graph_def(lambda: decoded(tf.constant(b"", name="DecodeJpeg/contents")))
    put_graph(tmp_path, graph)
    content = {"DecodeJpeg/contents": np.array(jpeg((200, 100, 0)), object)}
    assert_same(opened(tmp_path), graph, content, content)


@pytest.mark.parametrize("control_flow_v2", [False, True])
def test_pictures_that_the_graph_decodes_one_by_one_are_rows(tmp_path: Path, control_flow_v2: bool) -> None:
    def build() -> None:
        contents = tf1.placeholder(tf.string, (None,), name="contents")
        pictures = tf.map_fn(lambda one: tf.image.decode_jpeg(one, channels=3), contents, dtype=tf.uint8)
        tf.reduce_mean(tf.cast(pictures, tf.float32), axis=[1, 2], name="y")

    graph = graph_def(build, control_flow_v2=control_flow_v2)
    put_graph(tmp_path, graph)
    contents = {"contents": np.array([jpeg((200, 100, 0)), jpeg((0, 0, 99))], object)}
    assert_same(opened(tmp_path), graph, contents, contents)


def test_examples_that_the_graph_parses_are_given_as_bytes(tmp_path: Path) -> None:
    # Given a graph whose features must all be there, one of them a picture
    columns = {
        "number": tf.io.FixedLenFeature((), tf.int64),
        "values": tf.io.FixedLenFeature((2,), tf.float32),
        "picture": tf.io.FixedLenFeature((), tf.string),
    }

    def build() -> None:
        parsed = tf1.parse_example(tf1.placeholder(tf.string, (None,), name="examples"), columns)
        picture = tf.image.decode_jpeg(parsed["picture"][0])
        total = tf.reduce_sum(parsed["values"], axis=1) + tf.cast(parsed["number"], tf.float32)
        tf.add(total, tf.reduce_mean(tf.cast(picture, tf.float32)), name="y")

    graph = graph_def(build)
    put_graph(tmp_path, graph)
    example = tf.train.Example()
    example.features.feature["number"].int64_list.value.append(3)
    example.features.feature["values"].float_list.value.extend([0.5, 1.5])
    example.features.feature["picture"].bytes_list.value.append(jpeg((10, 10, 10)))
    given = {"examples": np.array([example.SerializeToString()], object)}
    assert_same(opened(tmp_path), graph, given, given)


def test_what_leads_to_an_inner_input_is_looked_through_before_tensorflow_sees_it(tmp_path: Path) -> None:
    def build() -> None:
        content = tf.reshape(tf.io.decode_raw(tf.io.read_file("/etc/passwd"), tf.uint8), (1, -1), name="content")
        tf.multiply(
            tf.cast(content, tf.float32, name="inner"), tf1.placeholder(tf.float32, (None, 1), name="x"), name="y"
        )

    put_graph(tmp_path, build, 'inputs = ["inner", "x"]')
    with pytest.raises(Untrusted, match="ReadFile"):
        load(find_model(tmp_path, "m"))
