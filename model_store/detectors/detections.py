"""A detector's answer: boxes with class and score, read from its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_store.classes import class_label
from model_store.detectors.outputs import DetectorOutputs
from model_store.pictures.decoding import View
from model_store.spec import ModelSpec

Arrays = Mapping[str, np.ndarray]

#: The class of all detections of a model that does not tell classes; the Object Detection API counts from 1.
ONLY_CLASS = 1


@dataclass(frozen=True)
class Wanted:
    """Which detections are told.

    Attributes:
        min_score: Those that score at least this.
        most: So many, the best; None for all.
    """

    min_score: float
    most: int | None = None


def count_pictures(outputs: Arrays, found: DetectorOutputs) -> int:
    """How many pictures the outputs are of."""
    return len(outputs[found.boxes]) if _has_rows(outputs, found) else 1


def read_detections(
    outputs: Arrays, found: DetectorOutputs, row: int, spec: ModelSpec, wanted: Wanted, view: View
) -> list[dict[str, Any]]:
    """What was detected in one picture of a batch, the best first; those of equal score in the model's order.

    Args:
        outputs: The detector's.
        found: Which of them is what.
        row: Which picture.
        spec: Has the labels, and what the numbers of a box are.
        wanted: Which detections are told.
        view: What the model saw of the picture.

    Returns:
        `{"box": [ymin, xmin, ymax, xmax] as fractions of the whole picture, "box_pixels": the same in pixels,
        "class": int, "label": str, "score": float}` for each. With `keypoints` [[y, x], …] as fractions of the whole
        picture and `keypoint_scores` where the model has them, and with `index`, its place in the arrays, where the
        model has masks.
    """
    of_row = _of_row(outputs, found, row)
    boxes = _edges(of_row[found.boxes].astype(np.float64), spec, view)
    scores = of_row[found.scores]
    kept = _kept(boxes, scores, _count(of_row, found), wanted)
    boxes = _on_whole_picture(boxes[kept], view)
    classes = np.rint(of_row[found.classes][kept]) if found.classes else np.full(len(kept), ONLY_CLASS)
    pixels = np.rint(boxes * np.tile(view.size, 2)).astype(int)
    extras = _extras(of_row, found, kept, view)
    return [
        {
            "box": box.tolist(),
            "box_pixels": box_pixels.tolist(),
            "class": int(number),
            "label": _label(of_row, found, index, spec, int(number)),
            "score": float(scores[index]),
            **extra,
        }
        for index, box, box_pixels, number, extra in zip(kept, boxes, pixels, classes, extras, strict=True)
    ]


def _has_rows(outputs: Arrays, found: DetectorOutputs) -> bool:
    return outputs[found.boxes].ndim == 3


def _of_row(outputs: Arrays, found: DetectorOutputs, row: int) -> dict[str, np.ndarray]:
    """The outputs that tell of detections, for one picture; a number that stands for all pictures stays as it is."""
    names = [name for name in vars(found).values() if name is not None]
    if not _has_rows(outputs, found):
        return {name: outputs[name] for name in names}
    return {name: outputs[name][row] if outputs[name].ndim else outputs[name] for name in names}


def _count(of_row: Arrays, found: DetectorOutputs) -> int:
    """How many of a picture's detections may count, which are never more than any of its arrays has."""
    lists = (found.boxes, found.scores, found.classes)
    longest = min(len(of_row[name]) for name in lists if name is not None)
    said = of_row[found.count].ravel() if found.count else np.array([])
    return max(0, min(longest, int(said[0]))) if said.size and np.isfinite(said[0]) else longest


def _kept(boxes: np.ndarray, scores: np.ndarray, count: int, wanted: Wanted) -> np.ndarray:
    """Places of the detections that are told, the best first."""
    boxes, scores = boxes[:count], scores[:count]
    is_padding = (scores == 0) & ~boxes.any(axis=1)
    places = np.flatnonzero((scores >= wanted.min_score) & np.isfinite(boxes).all(axis=1) & ~is_padding)
    return places[np.argsort(-scores[places], kind="stable")][: wanted.most]


def _edges(boxes: np.ndarray, spec: ModelSpec, view: View) -> np.ndarray:
    """Boxes (n, 4) as ymin, xmin, ymax, xmax in fractions of what the model saw, whatever they were."""
    starts, ends = boxes[:, :2], boxes[:, 2:]
    order = spec.detections.order
    if order == "cxcywh":
        starts, ends = starts - ends / 2, starts + ends / 2
    if order == "xywh":
        ends = starts + ends
    if order != "yxyx":
        starts, ends = starts[:, ::-1], ends[:, ::-1]
    # Some models take any two opposite corners for a box.
    edges = np.concatenate([np.minimum(starts, ends), np.maximum(starts, ends)], axis=1)
    return edges / np.tile(view.seen, 2) if spec.detections.unit == "pixels" else edges


def _on_whole_picture(points: np.ndarray, view: View) -> np.ndarray:
    """Coordinates y, x, … as fractions of the crop become fractions of the picture, within it."""
    top, left, bottom, right = view.crop
    pairs = points.shape[-1] // 2
    extent, offset = np.tile([bottom - top, right - left], pairs), np.tile([top, left], pairs)
    size = np.tile(view.size, pairs)
    return np.asarray(np.clip(points * extent + offset, 0, size) / size)


def _label(of_row: Arrays, found: DetectorOutputs, index: int, spec: ModelSpec, number: int) -> str:
    """model.toml's name for a class, else the model's own, else its number."""
    if found.labels is None or number in (spec.labels or {}):
        return class_label(spec, number)
    return str(of_row[found.labels][index])


def _extras(of_row: Arrays, found: DetectorOutputs, kept: np.ndarray, view: View) -> list[dict[str, Any]]:
    extras: list[dict[str, Any]] = [{} for _ in kept]
    if found.keypoints:
        points = _on_whole_picture(of_row[found.keypoints][kept].astype(np.float64), view)
        for extra, told in zip(extras, points, strict=True):
            extra["keypoints"] = told.tolist()
    if found.keypoint_scores:
        for extra, scores in zip(extras, of_row[found.keypoint_scores][kept], strict=True):
            extra["keypoint_scores"] = scores.tolist()
    if found.masks:
        for extra, index in zip(extras, kept, strict=True):
            extra["index"] = int(index)
    return extras
