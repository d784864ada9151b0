"""A classifier's answer: the best class of each row, with its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_store.errors import SpecError
from model_store.signature import Signature, TensorSpec
from model_store.spec import ModelSpec


def check_labels(signature: Signature, spec: ModelSpec) -> None:
    """Raise SpecError where the labels do not fit the model's classes, or no output tells classes."""
    name = _scores_name(signature.outputs)
    if name is None:
        outputs = ", ".join(signature.outputs)
        raise SpecError(f"{spec.file}: a classifier needs an output of scores, (rows, classes), but has {outputs}.")
    shape = signature.outputs[name].shape
    classes = shape[-1] if shape else None
    if classes is None or spec.labels is None or (classes == 1 and max(spec.labels) <= 1):
        return
    is_complete = set(spec.labels) == set(range(len(spec.labels)))
    if max(spec.labels) >= classes or (is_complete and len(spec.labels) != classes):
        raise SpecError(
            f"{spec.file}: labels has {len(spec.labels)} names up to class {max(spec.labels)}, but the model's output "
            f"{name} has {classes} classes."
        )


def read_labels(outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> list[dict[str, Any]]:
    """The best class of each row.

    Args:
        outputs: What the model gave; its scores are (rows, classes), or (rows, 1) with the score of class 1 of two.
        spec: Has the labels; a class without one is named by its number.

    Returns:
        A `{"class": int, "label": str, "score": float}` for each row.
    """
    name = _scores_name({name: TensorSpec.of(array) for name, array in outputs.items()})
    if name is None:
        return []
    scores = outputs[name].astype(np.float64)
    if scores.shape[1] == 1:
        scores = np.concatenate([1 - scores, scores], axis=1)
    best = scores.argmax(axis=1)
    return [
        {"class": int(number), "label": class_label(spec, int(number)), "score": float(row[number])}
        for number, row in zip(best, scores, strict=True)
    ]


def class_label(spec: ModelSpec, number: int) -> str:
    """The name of a class, or its number where it has none."""
    return (spec.labels or {}).get(number, str(number))


def _scores_name(outputs: Mapping[str, TensorSpec]) -> str | None:
    """The first output that can be (rows, classes): floats with two dimensions, or of unknown rank."""
    floats = [name for name, spec in outputs.items() if spec.dtype.startswith("float")]
    return next((name for name in floats if outputs[name].rank in (2, None)), None)
