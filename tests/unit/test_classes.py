from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_store.classes import check_labels, read_labels
from model_store.errors import SpecError
from model_store.signature import Signature, TensorSpec
from model_store.spec import ModelSpec


def classifier(*labels: str) -> ModelSpec:
    return ModelSpec(kind="classifier", labels=dict(enumerate(labels)), file=Path("m/model.toml"))


def signature(**outputs: TensorSpec) -> Signature:
    return Signature({"x": TensorSpec("float32", (None, 3))}, outputs)


def test_the_best_class_of_each_row_is_told_with_its_score() -> None:
    scores = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]], "float32")
    told = read_labels({"scores": scores}, classifier("a", "b", "c"))
    assert told == [
        {"class": 1, "label": "b", "score": pytest.approx(0.7)},
        {"class": 0, "label": "a", "score": 0.5},
    ]


def test_one_score_is_that_of_the_second_of_two_classes() -> None:
    told = read_labels({"p": np.array([[0.9], [0.2]])}, classifier("no", "yes"))
    assert [(row["label"], row["score"]) for row in told] == [("yes", 0.9), ("no", 0.8)]


def test_a_class_without_a_label_is_named_by_its_number() -> None:
    told = read_labels({"scores": np.array([[0.1, 0.9]])}, ModelSpec(kind="classifier", labels={0: "a"}))
    assert told[0]["label"] == "1"


def test_the_scores_are_the_output_of_floats_with_two_dimensions() -> None:
    told = read_labels(
        {"ids": np.array([[5, 6]]), "feature_map": np.zeros((1, 2, 2)), "scores": np.array([[0.0, 1.0]])},
        classifier("a", "b"),
    )
    assert told[0]["label"] == "b"


@pytest.mark.parametrize("count", [1, 3])
def test_labels_that_are_not_as_many_as_the_classes_are_refused(count: int) -> None:
    labels = classifier(*"abc"[:count])
    with pytest.raises(SpecError, match=rf"labels has {count} names .* output scores has 2 classes"):
        check_labels(signature(scores=TensorSpec("float32", (None, 2))), labels)


@pytest.mark.parametrize("shape", [(None, 2), (None, None), (None, 1), None])
def test_labels_that_can_fit_are_taken(shape: tuple[int | None, ...] | None) -> None:
    check_labels(signature(scores=TensorSpec("float32", shape)), classifier("a", "b"))


def test_a_classifier_without_scores_is_refused() -> None:
    with pytest.raises(SpecError, match="needs an output of scores"):
        check_labels(signature(mask=TensorSpec("float32", (None, 4, 4))), classifier("a"))
