"""SavedModels as TensorFlow 1 wrote them, and modules of TensorFlow 2, built in code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from model_store.model import Model
from tests import tiny_models
from tests.opened_models import put_module

v1 = tf.compat.v1

#: Builds a graph in a session; gives the inputs and outputs of each signature, and what else the builder is to be told.
Build = Callable[[Any], tuple[Mapping[str, Any], Mapping[str, Any]]]


def save_v1(folder: Path, *graphs: tuple[Sequence[str], Build]) -> Path:
    """Write a SavedModel of TensorFlow 1 with a graph for each tuple of tags; all have the variables of the first."""
    builder = v1.saved_model.Builder(str(folder))
    for number, (tags, build) in enumerate(graphs):
        with tf.Graph().as_default(), v1.Session() as session:
            signatures, options = build(session)
            session.run(v1.global_variables_initializer())
            if number == 0:
                builder.add_meta_graph_and_variables(session, list(tags), signatures, **options)
            else:
                builder.add_meta_graph(list(tags), signatures, **options)
    builder.save()
    return folder


def signature_def(inputs: Mapping[str, tf.Tensor], outputs: Mapping[str, Any]) -> Any:
    """What a signature is in the file."""
    info = v1.saved_model.build_tensor_info
    return v1.saved_model.build_signature_def(
        {name: info(tensor) for name, tensor in inputs.items()},
        {name: info(tensor) for name, tensor in outputs.items()},
        "tensorflow/serving/predict",
    )


def times_variable(factor: float, name: str = "serving_default") -> Build:
    """y = factor * x, the factor a variable."""

    def build(session: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        y = x * v1.get_variable("factor", initializer=factor)
        return {name: signature_def({"x": x}, {"y": y})}, {}

    return build


def export_folder(store: Path, toml: str = "") -> Path:
    """A folder for a SavedModel inside a version, which the writers of TensorFlow want to make themselves."""
    return tiny_models.version_folder(store, "m", toml=toml) / "export"


def save_signatures(folder: Path, **functions: Any) -> Path:
    """Write a SavedModel of TensorFlow 2 with these signatures."""
    module = tf.Module()
    module.functions = functions
    tf.saved_model.save(module, str(folder), signatures=dict(functions))
    return folder


def scaled(factor: float, width: int = 3) -> Any:
    """y = factor * x."""
    return tf.function(lambda x: {"y": factor * x}, [tf.TensorSpec([None, width], tf.float32, "x")])


def line_numbers(file: Path | str) -> Any:
    """What fills a table with the number of each line of a text file."""
    whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    return tf.lookup.TextFileInitializer(str(file), tf.string, whole, tf.int64, number)


def known_lines(lines: Any) -> Any:
    """A table that is filled so, and gives -1 for what it has not."""
    return tf.lookup.StaticHashTable(lines, -1)


class Words(tf.Module):
    """Numbers words by a table."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self.table = table

    @tf.function
    def call(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """The number of each word."""
        return {"number": self.table.lookup(text)}


def put_words(store: Path, words: Path, table_of: Callable[[Any], Any] = known_lines) -> Path:
    """Write a SavedModel that numbers `cat` and `dog`, which come as its asset; gives its folder."""
    words.write_text("cat\ndog\n")
    folder = put_module(store, Words(table_of(line_numbers(words))), **tiny_models.TEXT_SPEC)
    words.unlink()
    return folder


class Counter(tf.Module):
    """Counts: `add` changes what it gives next, `read` gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.count = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def add(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Add all of x."""
        return {"count": self.count.assign_add(tf.reduce_sum(x) + 1.0) + 0.0 * x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def read(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """The sum so far, for each row."""
        return {"count": self.count + 0.0 * x}


class Encoder(tf.Module):
    """Has no signatures, but functions: `__call__`, `encode` with several traces, `pair` with nested tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable(3.0)
        rows = tf.TensorSpec([None, 3], tf.float32)
        self.encode.get_concrete_function(rows, training=True)
        self.encode.get_concrete_function(rows)
        self.encode.get_concrete_function(tf.TensorSpec([None, 5], tf.float32))
        column = tf.TensorSpec([None], tf.float32)
        self.pair.get_concrete_function({"p": column, "q": [column, column]})

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """3x."""
        return self.factor * x

    @tf.function
    def encode(self, x: tf.Tensor, training: bool = False, mask: Any = None) -> dict[str, Any]:
        """Of use, and of training."""
        return {"code": -x, "parts": [x, {"more": x + 1.0}]} if not training else {"code": x * 0.0}

    @tf.function
    def pair(self, both: Mapping[str, Any]) -> tuple[tf.Tensor, None]:
        """Tensors in a dictionary and a list; a tensor and nothing."""
        return both["p"] + 10.0 * both["q"][0] + 100.0 * both["q"][1], None


def assert_like_tensorflow(model: Model, folder: Path, inputs: Mapping[str, Any], name: str | None = None) -> None:
    """Check a signature's answer against that of TensorFlow's own loader."""
    function = tf.saved_model.load(str(folder)).signatures[name or model.signature_name]
    expected = function(**{key: tf.constant(value) for key, value in inputs.items()})
    got = model.predict({key: np.asarray(value) for key, value in inputs.items()}, name)
    assert set(got) == set(expected)
    for key, tensor in expected.items():
        np.testing.assert_array_equal(got[key], tensor.numpy(), strict=True)
