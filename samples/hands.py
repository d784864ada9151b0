"""A hand detector of TensorFlow 1's Object Detection API, from the package hand-detection-v7 (MIT).

Kept twice: the frozen graph as its author made it, and the same graph exported as a SavedModel.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from samples.errors import SampleError
from samples.pictures import gloves
from samples.wheels import Member, Wheel, read_member

HAND_DETECTION = Wheel(
    "hand-detection-v7==0.4.1",
    "hand_detection_v7-0.4.1-py2-none-any.whl",
    "647fa8274c0362314ca22082179eade36a17f663a039f80cf3d356283c134c3e",
    target=("--platform", "any", "--python-version", "27", "--implementation", "py", "--abi", "none"),
)
# The wheel's only other large file is a photograph of a private person; it is not unpacked.
GRAPH = Member(
    HAND_DETECTION,
    "hand_detection_v7/models/frozen_inference_graph.pb",
    "6c155f9ed3167c4c8feb8acc973755415eacb44bd20408e5bcba95252be108f8",
)
INPUT_NAME = "image_tensor"
OUTPUT_NAMES = ("num_detections", "detection_boxes", "detection_scores", "detection_classes")


def build_frozen(folder: Path, cache: Path) -> str:
    """Write frozen_inference_graph.pb; returns what to tell about it.

    Raises:
        SampleError: It cannot be downloaded or is not the pinned one.
    """
    (folder / "frozen_inference_graph.pb").write_bytes(read_member(GRAPH, cache))
    return f"from {HAND_DETECTION.requirement}"


def build_saved_model(folder: Path, cache: Path) -> str:
    """Export the graph as a SavedModel into `folder`; returns what to tell about it.

    Raises:
        SampleError: The graph cannot be had, or the export does not answer exactly as the graph does.
    """
    frozen = _open_frozen(read_member(GRAPH, cache))
    _export(frozen, folder)
    exported = tf.saved_model.load(str(folder)).signatures["serving_default"]
    with Image.open(io.BytesIO(gloves(cache))) as picture:
        pixels = np.asarray(picture.convert("RGB"))[np.newaxis]
    expected, found = frozen(tf.constant(pixels)), exported(tf.constant(pixels))
    for name in OUTPUT_NAMES:
        _check_equal(name, expected[name].numpy(), found[name].numpy())
    return "answers exactly as hands does"


def _open_frozen(content: bytes) -> Any:
    graph_def = tf.compat.v1.GraphDef.FromString(content)
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    outputs = {name: wrapped.graph.get_tensor_by_name(f"{name}:0") for name in OUTPUT_NAMES}
    return wrapped.prune(wrapped.graph.get_tensor_by_name(f"{INPUT_NAME}:0"), outputs)


def _export(frozen: Any, folder: Path) -> None:
    pixels = tf.TensorSpec((None, None, None, 3), tf.uint8, name=INPUT_NAME)
    serve = tf.function(frozen, input_signature=[pixels])
    tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": serve})


def _check_equal(name: str, expected: NDArray[np.float32], found: NDArray[np.float32]) -> None:
    if not np.array_equal(expected, found):
        raise SampleError(
            f"The SavedModel's {name} differ from the frozen graph's on the same picture, which must not be; "
            "it is not kept. TensorFlow may have been changed: install the versions this project names."
        )
