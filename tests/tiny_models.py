"""Builds real models that are small enough to make in a test: each function writes one into a model store.

The linear model gives y = 2x + 1 for x (rows, 3) float32. The detector gives, for `image` (rows, height, width, 3)
uint8, the four boxes of `BOXES` with the scores `mean brightness * SCORE_SHARES`, and says that only two of them count.
The text model gives `upper` and `length` of each string `text`. The two-input model gives `sum` and `product` of
`a` (rows, 2) float32 and `b` (rows,) int32. Those after it are for one test each.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

FORMATS = ("frozen_graph", "saved_model", "keras")

BOXES = np.array([[0.25, 0.25, 0.75, 0.75], [0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 1, 1]], "float32")
CLASSES = np.array([1, 2, 3, 4], "float32")
SCORE_SHARES = np.array([1.0, 0.5, 0.25, 0.125], "float32")
COUNTED = 2

LINEAR_SPEC = {"x": tf.TensorSpec((None, 3), tf.float32)}
DETECTOR_SPEC = {"image": tf.TensorSpec((None, None, None, 3), tf.uint8)}
TEXT_SPEC = {"text": tf.TensorSpec((None,), tf.string)}
TWO_INPUTS_SPEC = {"a": tf.TensorSpec((None, 2), tf.float32), "b": tf.TensorSpec((None,), tf.int32)}
TABLE_SPEC = {"row": tf.TensorSpec((None,), tf.int32)}
FILLER_SPEC = {"size": tf.TensorSpec((None,), tf.int64)}

Specs = dict[str, tf.TensorSpec]
Call = Callable[..., dict[str, tf.Tensor]]


def add_linear(
    store: Path, name: str = "linear", format: str = "saved_model", version: int = 1, toml: str = ""
) -> Path:
    """Add the linear model; gives the artifact."""
    folder = version_folder(store, name, version, toml)
    if format == "frozen_graph":
        return save_frozen_graph(folder / "linear.pb", linear, LINEAR_SPEC)
    if format == "saved_model":
        return save_saved_model(folder, linear, LINEAR_SPEC)
    return save_keras(folder / "linear.h5", linear_keras())


def add_detector(
    store: Path, name: str = "detector", format: str = "saved_model", version: int = 1, toml: str = 'kind = "detector"'
) -> Path:
    """Add the detector; gives the artifact."""
    folder = version_folder(store, name, version, toml)
    if format == "frozen_graph":
        return save_frozen_graph(folder / "detector.pb", detector, DETECTOR_SPEC)
    if format == "saved_model":
        return save_saved_model(folder, detector, DETECTOR_SPEC)
    return save_keras(folder / "detector.h5", detector_keras())


def add_text(store: Path, name: str = "text", version: int = 1, toml: str = "") -> Path:
    """Add the text model, a SavedModel; gives the artifact."""
    return save_saved_model(version_folder(store, name, version, toml), text, TEXT_SPEC)


def add_two_inputs(store: Path, name: str = "two-inputs", version: int = 1, toml: str = "") -> Path:
    """Add the two-input model, a SavedModel; gives the artifact."""
    return save_saved_model(version_folder(store, name, version, toml), two_inputs, TWO_INPUTS_SPEC)


def version_folder(store: Path, name: str, version: int = 1, toml: str = "") -> Path:
    """Make a model's version folder, with a model.toml when there is text for one."""
    folder = store / name / str(version)
    folder.mkdir(parents=True)
    if toml:
        (folder / "model.toml").write_text(toml)
    return folder


def save_frozen_graph(path: Path, call: Call, specs: Specs) -> Path:
    """Write a TensorFlow 1 graph with the call's inputs as placeholders and its outputs as named nodes."""
    graph = tf.Graph()
    with graph.as_default():
        inputs = {name: tf.compat.v1.placeholder(spec.dtype, spec.shape, name=name) for name, spec in specs.items()}
        for name, tensor in call(**inputs).items():
            tf.identity(tensor, name=name)
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def save_saved_model(folder: Path, call: Call, specs: Specs) -> Path:
    """Write a SavedModel whose only signature is the call."""
    module = tf.Module()
    module.call = tf.function(call)
    tf.saved_model.save(module, str(folder), signatures=module.call.get_concrete_function(**specs))
    return folder


def save_keras(path: Path, model: keras.Model) -> Path:
    """Write a Keras model in the format of the path's suffix."""
    with _old_arrays_allowed():
        model.save(path)
    return path


def save_weights(path: Path, model: keras.Model) -> Path:
    """Write a Keras model's weights alone, to a file named `*.weights.h5`."""
    with _old_arrays_allowed():
        model.save_weights(path)
    return path


@contextmanager
def _old_arrays_allowed() -> Iterator[None]:
    """Keras 3.15 reads its variables in a way that numpy 2.4 calls outdated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
        yield


def linear(x: tf.Tensor) -> dict[str, tf.Tensor]:
    """y = 2x + 1."""
    return {"y": 2.0 * x + 1.0}


def linear_keras() -> keras.Model:
    """The linear model in layers."""
    x = keras.Input((3,), name="x")
    dense = keras.layers.Dense(3, name="y")
    model = keras.Model(x, dense(x))
    dense.set_weights([np.eye(3) * 2, np.ones(3)])
    return model


def detector(image: tf.Tensor) -> dict[str, tf.Tensor]:
    """Boxes that only the brightness scores."""
    rows = tf.shape(image)[0]
    brightness = tf.reduce_mean(tf.cast(image, tf.float32), axis=[1, 2, 3]) / 255.0
    return {
        "detection_boxes": tf.tile(BOXES[np.newaxis], [rows, 1, 1]),
        "detection_classes": tf.tile(CLASSES[np.newaxis], [rows, 1]),
        "detection_scores": brightness[:, tf.newaxis] * SCORE_SHARES,
        "num_detections": tf.fill([rows], float(COUNTED)),
    }


def detector_keras() -> keras.Model:
    """The detector in layers, whose names become those of the outputs; `num_detections` is (rows, 1) here."""
    image = keras.Input((None, None, 3), dtype="uint8", name="image")
    colours = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    score = keras.layers.Dense(4, name="detection_scores")
    number = keras.layers.Dense(4, name="detection_classes")
    count = keras.layers.Dense(1, name="num_detections")
    box = keras.layers.Dense(16)
    boxes = keras.layers.Reshape((4, 4), name="detection_boxes")(box(colours))
    model = keras.Model(image, [boxes, number(colours), score(colours), count(colours)])
    score.set_weights([np.tile(SCORE_SHARES / 3, (3, 1)), np.zeros(4)])
    for layer, values in ((box, BOXES.ravel()), (number, CLASSES), (count, np.array([COUNTED]))):
        layer.set_weights([np.zeros((3, values.size)), values])
    return model


def text(text: tf.Tensor) -> dict[str, tf.Tensor]:
    """Upper case, and the number of characters."""
    return {
        "upper": tf.strings.upper(text, encoding="utf-8"),
        "length": tf.strings.length(text, unit="UTF8_CHAR"),
    }


def two_inputs(a: tf.Tensor, b: tf.Tensor) -> dict[str, tf.Tensor]:
    """Sum of all three numbers of a row, and their product."""
    number = tf.cast(b, tf.float32)
    return {"sum": tf.reduce_sum(a, axis=1) + number, "product": tf.reduce_prod(a, axis=1) * number}


def table(row: tf.Tensor) -> dict[str, tf.Tensor]:
    """Entry `row` of a table of four; others make TensorFlow fail."""
    return {"entry": tf.gather(tf.constant([1.0, 2.0, 3.0, 4.0]), row)}


def filler(size: tf.Tensor) -> dict[str, tf.Tensor]:
    """The sum of `size` numbers, all of them in memory at once."""
    return {"sum": tf.fill(tf.shape(size), tf.reduce_sum(tf.random.uniform([size[0]])))}
