"""Which outputs of a model are a detector's boxes, scores, classes and so on, by their names or model.toml.

The names are those of TensorFlow's Object Detection API (object_detection/core/standard_fields.py), of TensorFlow 1 and
2 alike, and those that detectors on TensorFlow Hub and of AutoML have for classes. Where only shapes could tell they do
not: scores and classes are alike in shape, and a box may be in any order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from model_store.detection_spec import DetectionSpec
from model_store.errors import SpecError
from model_store.signature import TensorSpec, shape_text
from model_store.spec import ModelSpec

Tensors = Mapping[str, TensorSpec]

BOXES = ("detection_boxes",)
SCORES = ("detection_scores",)
CLASSES = ("detection_classes", "detection_class_labels")
COUNT = ("num_detections",)
LABELS = ("detection_class_entities", "detection_classes_as_text")
KEYPOINTS = ("detection_keypoints",)
KEYPOINT_SCORES = ("detection_keypoint_scores",)
MASKS = ("detection_masks",)

#: Converters that lose names number the outputs instead, in the order of the names (tf.nest sorts a dict's keys).
_NUMBERED = re.compile(r"(.*?)(?:[_:](\d+))?")
#: The outputs of the Object Detection API's export of an SSD in TensorFlow 2 (exporter_lib_v2.py), in that order, and
#: their shapes: rows, n detections, m anchors, c classes. No other order of these shapes makes sense.
_EXPORTED = (
    ("detection_anchor_indices", "rn"),
    ("detection_boxes", "rn4"),
    ("detection_classes", "rn"),
    ("detection_multiclass_scores", "rnc"),
    ("detection_scores", "rn"),
    ("num_detections", "r"),
    ("raw_detection_boxes", "rm4"),
    ("raw_detection_scores", "rmc"),
)


@dataclass(frozen=True)
class DetectorOutputs:
    """The names of a detector's outputs; None for what it does not have.

    Attributes:
        boxes: (rows, n, 4), or (n, 4) where the model takes one picture; the others have n too.
        scores: (rows, n).
        classes: (rows, n), numbers; without it all are of class 1.
        count: (rows,), how many of n count.
        labels: (rows, n), the names of the classes.
        keypoints: (rows, n, points, 2), as y, x.
        keypoint_scores: (rows, n, points).
        masks: (rows, n, height, width), of the box.
    """

    boxes: str
    scores: str
    classes: str | None = None
    count: str | None = None
    labels: str | None = None
    keypoints: str | None = None
    keypoint_scores: str | None = None
    masks: str | None = None


def find_detector_outputs(outputs: Tensors, spec: DetectionSpec) -> DetectorOutputs | None:
    """A detector's outputs among those given; None where boxes or scores are not among them.

    Args:
        outputs: By name, `:0` at its end and scopes such as `detector/` before it or not.
        spec: The names that model.toml has for them; lines of numbers are split already, see `split_lines`.
    """
    if spec.columns:
        spec = DetectionSpec(count=spec.count)
    names = _plain_names(outputs)
    boxes = _named(names, spec.boxes, BOXES)
    scores = _named(names, spec.scores, SCORES)
    if boxes is None or scores is None:
        return _exported(outputs) if spec.boxes is None and spec.scores is None else None
    return DetectorOutputs(
        boxes=boxes,
        scores=scores,
        classes=_named(names, spec.classes, CLASSES),
        count=_named(names, spec.count, COUNT),
        labels=_named(names, None, LABELS),
        keypoints=_named(names, None, KEYPOINTS),
        keypoint_scores=_named(names, None, KEYPOINT_SCORES),
        masks=_named(names, None, MASKS),
    )


def is_detector(outputs: Tensors, spec: DetectionSpec) -> bool:
    """Whether the outputs are a detector's, so that model.toml need not say it: names, dtypes and shapes agree."""
    found = find_detector_outputs(outputs, spec)
    if found is None or found.classes is None:
        return False
    boxes, scores, classes = (outputs[name] for name in (found.boxes, found.scores, found.classes))
    are_numbers = boxes.dtype.startswith("float") and scores.dtype.startswith("float") and classes.dtype != "string"
    has_lists = boxes.rank in (2, 3, None) and _one_shorter(boxes, scores) and _one_shorter(boxes, classes)
    return are_numbers and has_lists and _ends_in_four(boxes)


def check_detector_outputs(outputs: Tensors, spec: ModelSpec) -> None:
    """Raise SpecError where the model does not give what a detector must, or not what `[detections]` names."""
    given = ", ".join(f"{name} {shape_text(tensor.shape) if tensor.shape else ''}" for name, tensor in outputs.items())
    for key in ("boxes", "scores", "classes", "count"):
        wanted = getattr(spec.detections, key)
        if wanted is not None and wanted not in outputs:
            raise SpecError(f"{spec.file}: detections.{key} is {wanted}, but the model's outputs are {given}.")
    if spec.detections.columns:
        _check_lines(outputs, spec.detections.columns, spec, given)
        return
    found = find_detector_outputs(outputs, spec.detections)
    if found is None:
        raise SpecError(
            f'{spec.file}: kind = "detector" needs the outputs {BOXES[0]} and {SCORES[0]}, or a table [detections] '
            f"with the names that the model has for them; it gives {given}."
        )
    if not _ends_in_four(outputs[found.boxes]):
        raise SpecError(f"{spec.file}: a box is four numbers, but the output {found.boxes} is none of boxes: {given}.")
    for name in (found.scores, found.classes):
        if name is not None and not _one_shorter(outputs[found.boxes], outputs[name]):
            raise SpecError(f"{spec.file}: {name} does not have a number for each box of {found.boxes}: {given}.")


def _check_lines(outputs: Tensors, columns: Mapping[str, int], spec: ModelSpec, given: str) -> None:
    name = spec.detections.boxes
    if name is None and len(outputs) > 1:
        raise SpecError(f"{spec.file}: detections.boxes must name the output that has the columns, one of {given}.")
    shape = outputs[name or next(iter(outputs))].shape
    width = max(columns["box"] + 4, columns["score"] + 1, columns.get("class", 0) + 1)
    if shape and (len(shape) not in (2, 3) or (shape[-1] is not None and shape[-1] < width)):
        raise SpecError(
            f"{spec.file}: detections.columns needs an output (rows, detections, {width} or more), but it is {given}."
        )


def split_lines(outputs: Mapping[str, np.ndarray], spec: DetectionSpec) -> Mapping[str, np.ndarray]:
    """Outputs as most detectors have them, where model.toml says that one has lines of numbers; else the outputs."""
    name = spec.boxes or next(iter(outputs))
    if spec.columns is None or name not in outputs:
        return outputs
    lines = outputs[name]
    box = spec.columns["box"]
    split = {BOXES[0]: lines[..., box : box + 4], SCORES[0]: lines[..., spec.columns["score"]]}
    if "class" in spec.columns:
        split[CLASSES[0]] = lines[..., spec.columns["class"]]
    if spec.count in outputs:
        split[str(spec.count)] = outputs[str(spec.count)]
    return split


def _plain_names(outputs: Tensors) -> dict[str, str]:
    """Each output by its name without scopes and `:0`; where two have the same, neither but for its whole name."""
    plain = [name.removesuffix(":0").rpartition("/")[2] for name in outputs]
    names = {short: name for short, name in zip(plain, outputs, strict=True) if plain.count(short) == 1}
    return names | {name: name for name in outputs}


def _named(names: Mapping[str, str], wanted: str | None, known: tuple[str, ...]) -> str | None:
    return next((names[name] for name in ((wanted,) if wanted else known) if name in names), None)


def _ends_in_four(tensor: TensorSpec) -> bool:
    return tensor.shape is None or tensor.shape[-1:] in ((4,), (None,))


def _one_shorter(boxes: TensorSpec, others: TensorSpec) -> bool:
    return boxes.rank is None or others.rank is None or boxes.rank == others.rank + 1


def _exported(outputs: Tensors) -> DetectorOutputs | None:
    """The outputs of a TensorFlow 2 export whose names became numbers, such as Identity_3; known by all shapes."""
    numbered = {name: match for name in outputs if (match := _NUMBERED.fullmatch(name))}
    if len({match[1] for match in numbered.values()}) != 1 or len(outputs) != len(_EXPORTED):
        return None
    ordered = sorted(numbered, key=lambda name: int(numbered[name][2] or 0))
    sizes: dict[str, int | None] = {"4": 4}
    for name, (_, pattern) in zip(ordered, _EXPORTED, strict=True):
        shape = outputs[name].shape
        if shape is None or len(shape) != len(pattern) or outputs[name].dtype != "float32":
            return None
        if any(sizes.setdefault(letter, size) != size for letter, size in zip(pattern, shape, strict=True)):
            return None
    if not (sizes["n"] and sizes["c"]):
        return None
    names = dict(zip((known for known, _ in _EXPORTED), ordered, strict=True))
    return DetectorOutputs(
        names["detection_boxes"], names["detection_scores"], names["detection_classes"], names["num_detections"]
    )
