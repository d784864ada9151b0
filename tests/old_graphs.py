"""Graphs in the style of TensorFlow 1 for tests: built in its default graph, put into a store, run by its Session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from model_store.model import Model
from tests.opened_models import put_file

tf1 = tf.compat.v1

#: What a graph writer put into GraphDefs in 2015, and what TensorFlow 2.0 puts.
PRODUCER_OF_2015 = 8
PRODUCER_OF_2019 = 175


def graph_def(build: Callable[[], object], *, control_flow_v2: bool = False) -> Any:
    """The GraphDef that `build` leaves in TensorFlow 1's default graph."""
    was_v2 = tf1.control_flow_v2_enabled()
    (tf1.enable_control_flow_v2 if control_flow_v2 else tf1.disable_control_flow_v2)()
    try:
        with tf.Graph().as_default() as graph:
            build()
    finally:
        (tf1.enable_control_flow_v2 if was_v2 else tf1.disable_control_flow_v2)()
    return graph.as_graph_def()


def placeholder_x() -> tf.Tensor:
    """Any number of rows `x` of three numbers."""
    return tf1.placeholder(tf.float32, (None, 3), name="x")


def put_graph(store: Path, graph: Any, toml: str = "", name: str = "m.pb") -> Path:
    """Write a GraphDef, or what builds one, as the only version of the model `m`; gives the file."""
    content = graph_def(graph) if callable(graph) else graph
    return put_file(store, name, content.SerializeToString(), toml)


def session_run(content: Any, feeds: Mapping[str, Any], outputs: list[str], first: str = "") -> dict[str, np.ndarray]:
    """What TensorFlow 1's Session gives for a GraphDef, by output name, after it ran the operation `first`."""
    with tf.Graph().as_default():
        tf.import_graph_def(content, name="")
        with tf1.Session() as session:
            if first:
                session.run(first)
            tensors = {name: name if ":" in name else f"{name}:0" for name in outputs}
            return dict(session.run(tensors, {name if ":" in name else f"{name}:0": feeds[name] for name in feeds}))


def assert_same(model: Model, content: Any, feeds: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """The model gives for `inputs` what the Session gives for `feeds`, which may say more."""
    outputs = model.predict(inputs)
    expected = session_run(content, feeds, list(outputs))
    for name, array in outputs.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
