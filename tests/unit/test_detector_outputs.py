from __future__ import annotations

from pathlib import Path

import pytest

from model_store.detection_spec import DetectionSpec
from model_store.detectors.outputs import (
    DetectorOutputs,
    check_detector_outputs,
    find_detector_outputs,
    is_detector,
)
from model_store.errors import SpecError
from model_store.signature import TensorSpec
from model_store.spec import ModelSpec

Tensors = dict[str, TensorSpec]
SILENT = DetectionSpec()


def floats(*shape: int | None) -> TensorSpec:
    return TensorSpec("float32", shape)


TF1 = {
    "num_detections": floats(None),
    "detection_boxes": floats(None, 100, 4),
    "detection_scores": floats(None, 100),
    "detection_classes": floats(None, 100),
}
TF2 = {
    "detection_anchor_indices": floats(1, 100),
    "detection_boxes": floats(1, 100, 4),
    "detection_classes": floats(1, 100),
    "detection_multiclass_scores": floats(1, 100, 91),
    "detection_scores": floats(1, 100),
    "num_detections": floats(1),
    "raw_detection_boxes": floats(1, 51150, 4),
    "raw_detection_scores": floats(1, 51150, 91),
}
#: As on TensorFlow Hub: no rows, numbers and names of classes.
HUB = {
    "detection_boxes": floats(None, 4),
    "detection_class_entities": TensorSpec("string", (None,)),
    "detection_class_labels": TensorSpec("int64", (None,)),
    "detection_scores": floats(None),
}
UNKNOWN = {name: TensorSpec("float32", None) for name in TF1}
MASKS = TF2 | {"detection_masks": floats(1, 100, 33, 33)}


def renamed(outputs: Tensors, pattern: str) -> Tensors:
    return {pattern.format(name): spec for name, spec in outputs.items()}


@pytest.mark.parametrize("outputs", [TF1, TF2, HUB, UNKNOWN, MASKS], ids=["tf1", "tf2", "hub", "unknown", "masks"])
@pytest.mark.parametrize("pattern", ["{}", "{}:0", "import/{}", "detector/export/{}:0"])
def test_the_object_detection_apis_names_make_a_detector(outputs: Tensors, pattern: str) -> None:
    given = renamed(outputs, pattern)
    assert is_detector(given, SILENT)
    found = find_detector_outputs(given, SILENT)
    assert found
    assert (found.boxes, found.scores) == (pattern.format("detection_boxes"), pattern.format("detection_scores"))
    assert found.classes in renamed(outputs, pattern)


@pytest.mark.parametrize(
    "change",
    [
        {"detection_boxes": floats(None, 100, 5)},
        {"detection_boxes": TensorSpec("string", (None, 100, 4))},
        {"detection_scores": floats(None, 100, 90)},
        {"detection_classes": TensorSpec("string", (None, 100))},
        {"detection_classes": floats(None)},
        {"detection_boxes": None},
        {"detection_scores": None},
        {"detection_classes": None},
    ],
)
def test_outputs_that_only_partly_look_like_a_detectors_are_tensors(change: dict[str, TensorSpec | None]) -> None:
    outputs = {name: spec for name, spec in (TF1 | change).items() if spec is not None}
    assert not is_detector(outputs, SILENT)


@pytest.mark.parametrize(
    "outputs",
    [
        # Boxes, classes, scores and count of one converter, boxes, scores, classes and count of another.
        {"output_0": floats(1, 100, 4), "output_1": floats(1, 100), "output_2": floats(1, 100), "output_3": floats(1)},
        {"boxes": floats(None, 100, 4), "scores": floats(None, 100), "labels": floats(None, 100)},
        renamed(TF1, "first/{}") | renamed(TF1, "second/{}"),
    ],
)
def test_where_only_shapes_could_tell_the_outputs_stay_tensors(outputs: Tensors) -> None:
    assert not is_detector(outputs, SILENT)


@pytest.mark.parametrize("names", ["Identity_{}", "output_{}", "StatefulPartitionedCall:{}"])
def test_an_export_whose_names_became_numbers_is_known_by_all_its_shapes(names: str) -> None:
    numbered = [names.format(number) for number in range(8)]
    if names.startswith("Identity"):
        numbered[0] = "Identity"
    # In the order of a graph's nodes, which is none.
    given = dict(sorted(zip(numbered, TF2.values(), strict=True), key=lambda pair: pair[0][::-1]))
    assert is_detector(given, SILENT)
    wanted = DetectorOutputs(boxes=numbered[1], classes=numbered[2], scores=numbered[4], count=numbered[5])
    assert find_detector_outputs(given, SILENT) == wanted


@pytest.mark.parametrize(
    ("number", "spec"),
    [(0, floats(1, 99)), (3, floats(1, 100, 90)), (5, floats(1, 1)), (6, floats(1, 99, 4)), (4, floats(None, None))],
)
def test_numbered_outputs_of_any_other_shapes_stay_tensors(number: int, spec: TensorSpec) -> None:
    given = {f"Identity_{index}": tensor for index, tensor in enumerate(TF2.values())}
    assert is_detector(given, SILENT)
    assert not is_detector(given | {f"Identity_{number}": spec}, SILENT)


def test_model_toml_names_outputs_that_are_called_otherwise() -> None:
    outputs = {"b": floats(None, 300, 4), "s": floats(None, 300), "c": TensorSpec("int32", (None, 300))}
    spec = DetectionSpec(boxes="b", scores="s", classes="c")
    assert is_detector(outputs, spec)
    assert find_detector_outputs(outputs, spec) == DetectorOutputs("b", "s", "c")


def refusal(outputs: Tensors, **detections: str) -> str:
    with pytest.raises(SpecError) as caught:
        check_detector_outputs(outputs, ModelSpec(detections=DetectionSpec(**detections), file=Path("m/model.toml")))
    return str(caught.value)


def test_what_a_detector_lacks_is_named() -> None:
    outputs = {"b": floats(None, 300, 4), "s": floats(None, 300)}
    assert "needs the outputs detection_boxes and detection_scores, or a table [detections]" in refusal(outputs)
    assert "it gives b (any, 300, 4), s (any, 300)." in refusal(outputs)
    assert "detections.boxes is x, but the model's outputs are b (any, 300, 4)" in refusal(outputs, boxes="x")
    assert "detections.classes is x" in refusal(outputs, boxes="b", scores="s", classes="x")
    assert "the output s is none of boxes" in refusal(outputs, boxes="s", scores="b")
    wide = outputs | {"c": floats(None, 300, 80)}
    assert "c does not have a number for each box of b" in refusal(wide, boxes="b", scores="c")
    assert "c does not have a number for each box of b" in refusal(wide, boxes="b", scores="s", classes="c")


def lines_refusal(outputs: Tensors, boxes: str | None = None, **columns: int) -> str:
    spec = DetectionSpec(boxes=boxes, columns=columns)
    with pytest.raises(SpecError) as caught:
        check_detector_outputs(outputs, ModelSpec(detections=spec, file=Path("m/model.toml")))
    return str(caught.value)


def test_lines_of_numbers_are_found_where_there_is_room_for_them() -> None:
    lines = {"y": floats(None, 200, 6)}
    spec = DetectionSpec(columns={"box": 2, "score": 1, "class": 0})
    check_detector_outputs(lines, ModelSpec(detections=spec))
    assert "(rows, detections, 7 or more), but it is y (any, 200, 6)" in lines_refusal(lines, box=3, score=0)
    assert "(rows, detections, 9 or more)" in lines_refusal(lines, box=0, score=8)
    assert "(rows, detections, 5 or more)" in lines_refusal({"y": floats(None)}, box=0, score=4)
    two = lines | {"z": floats(None)}
    assert "detections.boxes must name the output that has the columns" in lines_refusal(two, box=0, score=4)
    assert "(rows, detections, 5 or more)" in lines_refusal(two, boxes="z", box=0, score=4)


def test_sizes_that_the_graph_does_not_say_prove_nothing() -> None:
    open_shapes = [tuple(4 if size == 4 else None for size in tensor.shape or ()) for tensor in TF2.values()]
    given = {f"Identity_{index}": floats(*shape) for index, shape in enumerate(open_shapes)}
    assert not is_detector(given, SILENT)
