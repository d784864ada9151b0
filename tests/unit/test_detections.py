from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model_store.detection_spec import DetectionSpec
from model_store.detectors.detections import Wanted, read_detections
from model_store.detectors.drawing import draw_detections
from model_store.detectors.outputs import find_detector_outputs
from model_store.pictures.decoding import View
from model_store.signature import TensorSpec
from model_store.spec import ModelSpec

HANDS = ModelSpec(kind="detector", labels={1: "hand"})
WHOLE = View.whole(100, 200)


def outputs(width: int = 4, count: int = 3) -> dict[str, np.ndarray]:
    """Two pictures; the arrays are wider than the number of detections, as real detectors leave them."""
    return {
        "detection_boxes": np.tile(np.array([0.1, 0.2, 0.5, 0.6], "float32"), (2, width, 1)),
        "detection_classes": np.tile(np.array([1, 2, 1, 1], "float32"), (2, 1)),
        "detection_scores": np.array([[0.9, 0.8, 0.3, 0.99], [0.4, 0.2, 0.1, 0.0]], "float32"),
        "num_detections": np.array([count, count], "float32"),
    }


def read(
    told: dict[str, np.ndarray],
    row: int = 0,
    min_score: float = 0.0,
    most: int | None = None,
    spec: ModelSpec = HANDS,
    view: View = WHOLE,
) -> list[dict[str, Any]]:
    tensors = {name: TensorSpec.of(array) for name, array in told.items()}
    found = find_detector_outputs(tensors, spec.detections)
    assert found
    return read_detections(told, found, row, spec, Wanted(min_score, most), view)


def test_boxes_are_told_as_fractions_and_pixels_with_class_label_and_score() -> None:
    first = read(outputs(), 0, min_score=0.5)[0]
    assert first["box"] == pytest.approx([0.1, 0.2, 0.5, 0.6])
    assert first["box_pixels"] == [10, 40, 50, 120]
    assert (first["class"], first["label"], first["score"]) == (1, "hand", pytest.approx(0.9))


def test_a_class_without_a_label_is_named_by_its_number() -> None:
    assert read(outputs(), 0, min_score=0.5)[1]["label"] == "2"


def test_detections_end_at_num_detections_and_at_the_least_score() -> None:
    # The fourth scores .99 but lies beyond num_detections; the third is below the cut.
    scores = [found["score"] for found in read(outputs(), 0, min_score=0.5)]
    assert scores == pytest.approx([0.9, 0.8])


def test_num_detections_beyond_the_arrays_is_harmless() -> None:
    assert len(read(outputs(count=100), 0, min_score=0.0)) == 4


def test_without_num_detections_the_arrays_count() -> None:
    told = outputs()
    del told["num_detections"]
    assert len(read(told, 0, min_score=0.0)) == 4


def test_each_picture_of_a_batch_has_its_own() -> None:
    assert read(outputs(), 1, min_score=0.5) == []
    assert len(read(outputs(), 1, min_score=0.15)) == 2


def test_num_detections_may_be_a_column() -> None:
    told = outputs()
    told["num_detections"] = np.array([[1], [3]], "float32")
    assert [len(read(told, row, min_score=0.0)) for row in (0, 1)] == [1, 3]


def test_boxes_of_a_crop_are_told_on_the_whole_picture() -> None:
    # Given a detector that saw the right half of a picture of 100 x 200
    found = read(outputs(), 0, min_score=0.85, view=View((100, 200), (0, 100, 100, 200), (100, 100)))[0]
    # Then .2 to .6 of that half are .6 to .8 of the whole
    assert found["box"] == pytest.approx([0.1, 0.6, 0.5, 0.8])
    assert found["box_pixels"] == [10, 120, 50, 160]


def test_boxes_beyond_the_picture_end_at_its_edge() -> None:
    told = outputs()
    told["detection_boxes"][0, 0] = [-0.5, 0.2, 1.5, 2.0]
    found = read(told, 0, min_score=0.85)[0]
    assert found["box"] == pytest.approx([0.0, 0.2, 1.0, 1.0])
    assert found["box_pixels"] == [0, 40, 100, 200]


def test_the_best_are_told_whatever_order_the_model_has() -> None:
    told = outputs()
    told["detection_scores"][0] = [0.3, 0.9, 0.9, 0.1]
    assert [found["class"] for found in read(told, most=2)] == [2, 1]
    assert len(read(told, most=1)) == 1
    assert [found["class"] for found in read(told, min_score=0.2)] == [2, 1, 1]


def test_without_a_rows_axis_the_outputs_are_those_of_one_picture() -> None:
    told = {name: array[0] for name, array in outputs().items()}
    assert [found["class"] for found in read(told, min_score=0.5)] == [1, 2]
    told["num_detections"] = np.array(1.0, "float32")
    assert [found["class"] for found in read(told, min_score=0.5)] == [1]


def test_one_number_of_detections_counts_for_each_picture() -> None:
    told = outputs() | {"num_detections": np.array(1, "int32")}
    assert [len(read(told, row)) for row in (0, 1)] == [1, 1]


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
def test_class_numbers_may_be_of_any_type(dtype: str) -> None:
    told = outputs()
    told["detection_classes"] = told["detection_classes"].astype(dtype)
    assert [found["class"] for found in read(told, min_score=0.5)] == [1, 2]


def test_boxes_and_scores_that_are_no_numbers_and_padding_are_left_out() -> None:
    told = outputs(width=5, count=5)
    told["detection_classes"] = np.ones((2, 5), "float32")
    told["detection_scores"] = np.array([[0.9, np.nan, 0.8, 0.0, 0.0]] * 2, "float32")
    told["detection_boxes"][0, 2] = [0, np.nan, 1, 1]
    told["detection_boxes"][0, 3] = 0
    assert [found["score"] for found in read(told)] == pytest.approx([0.9, 0.0])


@pytest.mark.parametrize(
    ("order", "box"),
    [
        ("yxyx", [0.1, 0.2, 0.5, 0.6]),
        ("yxyx", [0.5, 0.2, 0.1, 0.6]),
        ("xyxy", [0.2, 0.1, 0.6, 0.5]),
        ("xywh", [0.2, 0.1, 0.4, 0.4]),
        ("cxcywh", [0.4, 0.3, 0.4, 0.4]),
    ],
)
@pytest.mark.parametrize("unit", ["fractions", "pixels"])
def test_boxes_of_any_order_and_unit_are_told_alike(order: str, box: list[float], unit: str) -> None:
    # Given a detector that saw a picture of 100 x 200 at 50 x 80
    view = View((100, 200), (0, 0, 100, 200), (50, 80))
    scale = {"fractions": [1, 1, 1, 1], "pixels": [50, 80] * 2 if order == "yxyx" else [80, 50] * 2}[unit]
    told = outputs()
    told["detection_boxes"][0, 0] = np.array(box) * scale
    spec = ModelSpec(kind="detector", detections=DetectionSpec(order=order, unit=unit))
    # Then its boxes are those of the picture that was sent
    assert read(told, min_score=0.85, spec=spec, view=view)[0]["box"] == pytest.approx([0.1, 0.2, 0.5, 0.6])


def test_model_toml_names_outputs_that_are_called_otherwise_and_classes_may_be_missing() -> None:
    spec = ModelSpec(labels={1: "face"}, detections=DetectionSpec(boxes="b", scores="s", count="n"))
    told = {"b": outputs()["detection_boxes"], "s": outputs()["detection_scores"], "n": np.array([2, 1])}
    assert [(found["class"], found["label"]) for found in read(told, spec=spec)] == [(1, "face")] * 2


def test_a_model_that_names_its_classes_itself_is_believed_where_model_toml_is_silent() -> None:
    told = outputs() | {"detection_class_entities": np.array([["Hand!", "Foot", "Hand!", "Hand!"]] * 2)}
    assert [found["label"] for found in read(told, min_score=0.5)] == ["hand", "Foot"]


def test_keypoints_are_told_on_the_whole_picture_and_masks_by_their_place() -> None:
    told = outputs()
    told["detection_scores"][0] = [0.3, 0.9, 0.2, 0.1]
    told["detection_keypoints"] = np.tile(np.array([[0.5, 0.5], [0, 1]], "float32"), (2, 4, 1, 1))
    told["detection_keypoint_scores"] = np.full((2, 4, 2), 0.75, "float32")
    told["detection_masks"] = np.zeros((2, 4, 15, 15), "float32")
    found = read(told, min_score=0.5, view=View((100, 200), (0, 100, 100, 200), (100, 100)))[0]
    assert found["keypoints"] == [[0.5, 0.75], [0.0, 1.0]]
    assert found["keypoint_scores"] == [0.75, 0.75]
    assert found["index"] == 1


def drawn(width: int, height: int, detections: list[dict[str, object]]) -> np.ndarray:
    data = draw_detections(np.zeros((height, width, 3), np.uint8), detections)
    image = Image.open(BytesIO(data))
    assert image.format == "PNG"
    return np.asarray(image)


def detection(number: int, box: list[int]) -> dict[str, object]:
    return {"class": number, "label": f"class {number}", "score": 0.5, "box_pixels": box}


def test_boxes_are_drawn_at_their_edges_in_a_colour_for_each_class() -> None:
    pixels = drawn(400, 300, [detection(1, [100, 50, 200, 150]), detection(2, [100, 250, 200, 350])])
    first, second = pixels[199, 100], pixels[199, 300]
    assert pixels.shape == (300, 400, 3)
    assert first.any() and second.any()
    assert first.tolist() != second.tolist()
    assert not pixels[150, 100].any()
    assert not pixels[201, 100].any()


def test_text_grows_with_the_picture() -> None:
    def label_height(size: int) -> int:
        pixels = drawn(size, size, [detection(1, [size // 2, 0, size - 1, size - 1])])
        return int(pixels[: size // 2, 1].any(axis=1).sum())

    assert 10 <= label_height(200) < label_height(1000) < 60


@pytest.mark.parametrize("box", [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 4, 4], [3, 3, 4, 4]])
def test_tiny_pictures_and_empty_boxes_are_drawn_without_failing(box: list[int]) -> None:
    assert drawn(4, 4, [detection(1, box)]).shape == (4, 4, 3)


def test_nothing_found_gives_the_picture_itself() -> None:
    assert not drawn(10, 10, []).any()
