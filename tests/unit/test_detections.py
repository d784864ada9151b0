from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from model_store.detections import draw_detections, read_detections
from model_store.spec import ModelSpec

HANDS = ModelSpec(kind="detector", labels={1: "hand"})
WHOLE = (0, 0, 100, 200)


def outputs(width: int = 4, count: int = 3) -> dict[str, np.ndarray]:
    """Two pictures; the arrays are wider than the number of detections, as real detectors leave them."""
    return {
        "detection_boxes": np.tile(np.array([0.1, 0.2, 0.5, 0.6], "float32"), (2, width, 1)),
        "detection_classes": np.tile(np.array([1, 2, 1, 1], "float32"), (2, 1)),
        "detection_scores": np.array([[0.9, 0.8, 0.3, 0.99], [0.4, 0.2, 0.1, 0.0]], "float32"),
        "num_detections": np.array([count, count], "float32"),
    }


def test_boxes_are_told_as_fractions_and_pixels_with_class_label_and_score() -> None:
    first = read_detections(outputs(), 0, HANDS, 0.5, (100, 200), WHOLE)[0]
    assert first["box"] == pytest.approx([0.1, 0.2, 0.5, 0.6])
    assert first["box_pixels"] == [10, 40, 50, 120]
    assert (first["class"], first["label"], first["score"]) == (1, "hand", pytest.approx(0.9))


def test_a_class_without_a_label_is_named_by_its_number() -> None:
    assert read_detections(outputs(), 0, HANDS, 0.5, (100, 200), WHOLE)[1]["label"] == "2"


def test_detections_end_at_num_detections_and_at_the_least_score() -> None:
    # The fourth scores .99 but lies beyond num_detections; the third is below the cut.
    scores = [found["score"] for found in read_detections(outputs(), 0, HANDS, 0.5, (100, 200), WHOLE)]
    assert scores == pytest.approx([0.9, 0.8])


def test_num_detections_beyond_the_arrays_is_harmless() -> None:
    assert len(read_detections(outputs(count=100), 0, HANDS, 0.0, (100, 200), WHOLE)) == 4


def test_without_num_detections_the_arrays_count() -> None:
    told = outputs()
    del told["num_detections"]
    assert len(read_detections(told, 0, HANDS, 0.0, (100, 200), WHOLE)) == 4


def test_each_picture_of_a_batch_has_its_own() -> None:
    assert read_detections(outputs(), 1, HANDS, 0.5, (100, 200), WHOLE) == []
    assert len(read_detections(outputs(), 1, HANDS, 0.15, (100, 200), WHOLE)) == 2


def test_num_detections_may_be_a_column() -> None:
    told = outputs()
    told["num_detections"] = np.array([[1], [3]], "float32")
    assert [len(read_detections(told, row, HANDS, 0.0, (100, 200), WHOLE)) for row in (0, 1)] == [1, 3]


def test_boxes_of_a_crop_are_told_on_the_whole_picture() -> None:
    # Given a detector that saw the right half of a picture of 100 x 200
    found = read_detections(outputs(), 0, HANDS, 0.85, (100, 200), (0, 100, 100, 200))[0]
    # Then .2 to .6 of that half are .6 to .8 of the whole
    assert found["box"] == pytest.approx([0.1, 0.6, 0.5, 0.8])
    assert found["box_pixels"] == [10, 120, 50, 160]


def test_boxes_beyond_the_picture_end_at_its_edge() -> None:
    told = outputs()
    told["detection_boxes"][0, 0] = [-0.5, 0.2, 1.5, 2.0]
    found = read_detections(told, 0, HANDS, 0.85, (100, 200), WHOLE)[0]
    assert found["box"] == pytest.approx([0.0, 0.2, 1.0, 1.0])
    assert found["box_pixels"] == [0, 40, 100, 200]


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
