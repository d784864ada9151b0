"""Two small networks that read digits, trained here: one is kept as a Keras `.h5`, one as a frozen graph `.pb`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from samples.digits import held_out_digits, training_digits
from samples.errors import SampleError

LOWEST_ACCURACY = 0.95
EPOCHS = 40
INPUT_NAME = "images"
OUTPUT_NAME = "probabilities"


def build_h5(folder: Path, cache: Path) -> str:
    """Train a model and save it as model.h5; returns what to tell about it. Raises SampleError if it reads badly."""
    del cache  # the digits come with scikit-learn
    model = _train(seed=1)
    # Keras says on each save that HDF5 is a legacy format, which is just why this sample is one.
    logging.getLogger("absl").setLevel(logging.ERROR)
    model.save(folder / "model.h5", include_optimizer=False)
    saved = keras.models.load_model(folder / "model.h5", compile=False)
    return _judge(saved(held_out_digits().images).numpy())


def build_pb(folder: Path, cache: Path) -> str:
    """Train another model and freeze it as model.pb; returns and raises like `build_h5`."""
    del cache
    graph_def = _freeze(_train(seed=2))
    (folder / "model.pb").write_bytes(graph_def.SerializeToString(deterministic=True))
    return _judge(_run_graph(graph_def, held_out_digits().images))


def _train(seed: int) -> Any:
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8), name=INPUT_NAME),
            keras.layers.Rescaling(1 / 16),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10, activation="softmax", name=OUTPUT_NAME),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    digits = training_digits()
    model.fit(digits.images, digits.labels, epochs=EPOCHS, batch_size=64, verbose=0)
    return model


def _freeze(model: Any) -> Any:
    def predict(images: Any) -> Any:
        return tf.identity(model(images), name=OUTPUT_NAME)

    function = tf.function(predict, input_signature=[tf.TensorSpec((None, 8, 8), tf.float32, name=INPUT_NAME)])
    graph_def = convert_variables_to_constants_v2(function.get_concrete_function()).graph.as_graph_def()
    # What a function's graph has after the output: its return, and its order of side effects, of which none is left.
    nodes = [node for node in graph_def.node if node.name not in ("Identity", "NoOp")]
    return tf.compat.v1.GraphDef(node=nodes, versions=graph_def.versions)


def _run_graph(graph_def: Any, images: NDArray[np.float32]) -> NDArray[np.float32]:
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        probabilities: NDArray[np.float32] = session.run(f"{OUTPUT_NAME}:0", {f"{INPUT_NAME}:0": images})
    return probabilities


def _judge(probabilities: NDArray[np.float32]) -> str:
    labels = held_out_digits().labels
    accuracy = float(np.mean(probabilities.argmax(axis=1) == labels))
    if accuracy < LOWEST_ACCURACY:
        raise SampleError(
            f"The digits model reads {accuracy:.1%} of {len(labels)} held-out digits right, and at least "
            f"{LOWEST_ACCURACY:.0%} was expected; it is not kept."
        )
    return f"reads {accuracy:.1%} of {len(labels)} held-out digits right"
