"""A model file as its user calls it without Celeriac, in the ways that TensorFlow's and Keras's pages show.

Each way comes as a function from rows to outputs, arrays both.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from benchmarks.bare_model import Array

Call = Callable[[Array], Array]


def keras_calls(file: Path) -> dict[str, Call]:
    """A `.keras` file: the model called, and its `predict`."""
    model = keras.saving.load_model(file, compile=False)
    return {
        "model(x)": lambda rows: np.asarray(model(rows, training=False)),
        "model.predict": lambda rows: np.asarray(model.predict(rows, verbose=0)),
    }


def saved_model_calls(folder: Path) -> dict[str, Call]:
    """A SavedModel: its signature called."""
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    (output,) = signature.structured_outputs

    def call(rows: Array, loaded: object = loaded) -> Array:
        return np.asarray(signature(**{name: tf.constant(rows)})[output])

    return {"signature(x)": call}


def frozen_graph_calls(file: Path) -> dict[str, Call]:
    """A frozen graph: `Session.run`."""
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(file.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
    # The same threads as everybody's here: a session does not go by those of the process.
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads)
    session = tf.compat.v1.Session(graph=graph, config=config)
    feed = next(f"{node.name}:0" for node in graph_def.node if node.op == "Placeholder")
    return {"Session.run": lambda rows: np.asarray(session.run("Identity:0", {feed: rows}))}


def write_others(file: Path, folder: Path) -> tuple[Path, Path]:
    """Write a `.keras` file's model as a SavedModel and as a frozen graph, each in a folder of its own; gives both."""
    model = keras.saving.load_model(file, compile=False)
    signature = [tf.TensorSpec((None, *model.inputs[0].shape[1:]), model.inputs[0].dtype)]
    module = tf.Module()
    module.model = model
    module.call = tf.function(lambda x: {"y": model(x, training=False)}, input_signature=signature)
    function = module.call.get_concrete_function()
    tf.saved_model.save(module, str(folder / "saved_model"), signatures=function)
    graph = folder / "frozen_graph" / "model.pb"
    graph.parent.mkdir()
    graph.write_bytes(convert_variables_to_constants_v2(function).graph.as_graph_def().SerializeToString())
    return folder / "saved_model", graph
