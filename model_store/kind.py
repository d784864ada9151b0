"""What kind of model it is, where model.toml leaves it to the outputs, and the labels that follow from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model_store.detection_spec import DetectionSpec
from model_store.detectors.outputs import is_detector
from model_store.labels import find_label_map, read_label_file
from model_store.signature import Signature
from model_store.spec import ModelSpec


def with_kind(spec: ModelSpec, signature: Signature, folder: Path) -> ModelSpec:
    """The spec with its kind, and for a detector without labels with those of the label map that lies in the folder.

    Raises:
        SpecError: The label map is damaged.
    """
    kind = spec.kind or _implied(spec, signature)
    label_map = find_label_map(folder) if kind == "detector" and spec.labels is None else None
    labels = read_label_file(label_map, first_class=0) if label_map else spec.labels
    return replace(spec, kind=kind, labels=labels)


def _implied(spec: ModelSpec, signature: Signature) -> str:
    if spec.detections != DetectionSpec() or is_detector(signature.outputs, spec.detections):
        return "detector"
    return "tensors" if spec.labels is None else "classifier"
