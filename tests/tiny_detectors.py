"""Builds detectors as TensorFlow's Object Detection API and others export them, small enough to make in a test.

All give the boxes, classes and scores of `tests.tiny_models.detector`: two that count of four, scored by the picture's
mean brightness. They differ in what they take and in how they tell it.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from tests.tiny_models import COUNTED, DETECTOR_SPEC, detector, save_frozen_graph, save_saved_model, version_folder

Tensors = dict[str, tf.Tensor]

ONE_PICTURE = tf.TensorSpec((1, None, None, 3), tf.uint8)
ANCHORS, CATEGORIES = 7, 5


def add_tf1(store: Path, name: str, toml: str = "") -> Path:
    """A frozen graph of the API of TensorFlow 1, which says that more count than its lists are long."""

    def call(image_tensor: tf.Tensor) -> Tensors:
        outputs = detector(image_tensor)
        return outputs | {"num_detections": outputs["num_detections"] * 50.0}

    folder = version_folder(store, name, toml=toml)
    return save_frozen_graph(folder / "frozen_inference_graph.pb", call, {"image_tensor": DETECTOR_SPEC["image"]})


def add_tf2(store: Path, name: str, spec: tf.TensorSpec = ONE_PICTURE, toml: str = "") -> Path:
    """A SavedModel of the API of TensorFlow 2: it takes one picture, and tells all it knows."""
    return save_saved_model(version_folder(store, name, toml=toml), tf2, {"input_tensor": spec})


def add_shapeless(store: Path, name: str) -> Path:
    """A frozen graph of the API of TensorFlow 1, in a scope, that has lost the shape of its input."""

    def call(image_tensor: tf.Tensor) -> Tensors:
        return {f"import/{output}": tensor for output, tensor in detector(image_tensor).items()}

    path = version_folder(store, name) / "shapeless.pb"
    return save_frozen_graph(path, call, {"image_tensor": tf.TensorSpec(None, tf.uint8)})


def tf2(input_tensor: tf.Tensor) -> Tensors:
    """The outputs of exporter_lib_v2.py; all are floats."""
    found = detector(input_tensor)
    rows, boxes = tf.shape(input_tensor)[0], 4
    return {
        **found,
        "detection_anchor_indices": tf.zeros([rows, boxes]),
        "detection_multiclass_scores": tf.tile(found["detection_scores"][..., tf.newaxis], [1, 1, CATEGORIES]),
        "raw_detection_boxes": tf.zeros([rows, ANCHORS, 4]),
        "raw_detection_scores": tf.zeros([rows, ANCHORS, CATEGORIES]),
    }


def add_encoded(store: Path, name: str, rows: int | None = None, toml: str = "") -> Path:
    """A SavedModel that takes picture files, by an input whose name does not say so."""

    def call(inputs: tf.Tensor) -> Tensors:
        return detector(_decoded(inputs))

    return save_saved_model(version_folder(store, name, toml=toml), call, {"inputs": tf.TensorSpec((rows,), tf.string)})


def add_one_file(store: Path, name: str, toml: str = "") -> Path:
    """A SavedModel that takes one picture file, a string without rows."""

    def call(encoded: tf.Tensor) -> Tensors:
        return {output: tensor[0] for output, tensor in detector(_decoded(encoded[tf.newaxis])).items()}

    return save_saved_model(version_folder(store, name, toml=toml), call, {"encoded": tf.TensorSpec((), tf.string)})


def add_examples(store: Path, name: str, toml: str = "") -> Path:
    """A frozen graph that takes picture files within a `tf.train.Example`, by an input that does not say so."""

    def call(inputs: tf.Tensor) -> Tensors:
        features = {"image/encoded": tf.io.FixedLenFeature((), tf.string, default_value="")}
        return detector(_decoded(tf.io.parse_example(inputs, features)["image/encoded"]))

    path = version_folder(store, name, toml=toml) / "examples.pb"
    return save_frozen_graph(path, call, {"inputs": tf.TensorSpec((None,), tf.string)})


def _decoded(files: tf.Tensor) -> tf.Tensor:
    def decode(file: tf.Tensor) -> tf.Tensor:
        return tf.io.decode_image(file, channels=3, expand_animations=False)

    return tf.map_fn(decode, files, fn_output_signature=tf.TensorSpec((None, None, 3), tf.uint8))


def add_rowless(store: Path, name: str, toml: str = "") -> Path:
    """A SavedModel as on TensorFlow Hub: it takes one float picture from 0 to 1, and its outputs have no rows.

    It gives as many detections as score above .2, with their classes' names.
    """

    def call(images: tf.Tensor) -> Tensors:
        found = detector(tf.cast(images * 255.0, tf.uint8))
        kept = tf.where(found["detection_scores"][0] > 0.2)[:, 0]
        classes = tf.gather(found["detection_classes"][0], kept)
        return {
            "detection_boxes": tf.gather(found["detection_boxes"][0], kept),
            "detection_scores": tf.gather(found["detection_scores"][0], kept),
            "detection_class_labels": tf.cast(classes, tf.int64),
            "detection_class_entities": tf.strings.join(["class ", tf.strings.as_string(tf.cast(classes, tf.int64))]),
        }

    spec = {"images": tf.TensorSpec((1, None, None, 3), tf.float32)}
    return save_saved_model(version_folder(store, name, toml=toml), call, spec)


def add_pixels(store: Path, name: str, toml: str) -> Path:
    """A SavedModel that takes 32 x 32 floats from -1 to 1, and calls its outputs and orders its boxes its own way."""

    def call(x: tf.Tensor) -> Tensors:
        found = detector(tf.cast((x + 1.0) * 127.5, tf.uint8))
        ymin, xmin, ymax, xmax = tf.unstack(found["detection_boxes"] * 32.0, axis=2)
        return {
            "corners": tf.stack([xmin, ymin, xmax, ymax], axis=2),
            "confidence": found["detection_scores"],
            "category": tf.cast(found["detection_classes"], tf.int32) - 1,
            "valid": tf.fill([tf.shape(x)[0]], COUNTED),
        }

    spec = {"x": tf.TensorSpec((None, 32, 32, 3), tf.float32)}
    return save_saved_model(version_folder(store, name, toml=toml), call, spec)


def add_lines(store: Path, name: str, toml: str) -> Path:
    """A SavedModel with one output, a line of class, score, xmin, ymin, xmax, ymax for each detection."""

    def call(image: tf.Tensor) -> Tensors:
        found = detector(image)
        ymin, xmin, ymax, xmax = tf.unstack(found["detection_boxes"], axis=2)
        return {"lines": tf.stack([found["detection_classes"], found["detection_scores"], xmin, ymin, xmax, ymax], 2)}

    return save_saved_model(version_folder(store, name, toml=toml), call, DETECTOR_SPEC)


def add_numbered(store: Path, name: str) -> Path:
    """A graph frozen from a SavedModel of TensorFlow 2, whose outputs have numbers instead of names."""
    shapes = {
        "detection_anchor_indices": (1, 4),
        "detection_boxes": (1, 4, 4),
        "detection_classes": (1, 4),
        "detection_multiclass_scores": (1, 4, CATEGORIES),
        "detection_scores": (1, 4),
        "num_detections": (1,),
        "raw_detection_boxes": (1, ANCHORS, 4),
        "raw_detection_scores": (1, ANCHORS, CATEGORIES),
    }

    def call(input_tensor: tf.Tensor) -> Tensors:
        # As in a real one, all that it gives depends on the picture.
        nothing = 0.0 * tf.reduce_max(tf.cast(input_tensor, tf.float32))
        given = {name: tensor + tf.cast(nothing, tensor.dtype) for name, tensor in tf2(input_tensor).items()}
        ordered = [tf.ensure_shape(given[output], shape) for output, shape in sorted(shapes.items())]
        return {f"Identity_{number}" if number else "Identity": tensor for number, tensor in enumerate(ordered)}

    return save_frozen_graph(version_folder(store, name) / "numbered.pb", call, {"input_tensor": ONE_PICTURE})
