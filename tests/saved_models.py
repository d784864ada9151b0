"""SavedModels as TensorFlow 1 wrote them, and modules of TensorFlow 2, built in code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

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
