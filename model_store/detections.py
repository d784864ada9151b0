"""A detector's answer: boxes with class and score, read from the Object Detection API's outputs, and drawn."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from model_store.classes import class_label
from model_store.errors import SpecError
from model_store.pictures import Box
from model_store.signature import Signature
from model_store.spec import ModelSpec

REQUIRED_OUTPUTS = ("detection_boxes", "detection_scores", "detection_classes")

# Text and lines that can be read in small pictures and do not cover large ones.
TEXT_SHARE = 1 / 40
MIN_TEXT_PIXELS = 12
MAX_TEXT_PIXELS = 64


def check_detector_outputs(signature: Signature, spec: ModelSpec) -> None:
    """Raise SpecError where the model does not give what a detector must."""
    missing = [name for name in REQUIRED_OUTPUTS if name not in signature.outputs]
    if missing:
        raise SpecError(
            f'{spec.file}: kind = "detector" needs the outputs {", ".join(REQUIRED_OUTPUTS)}, but the model gives '
            f"{', '.join(signature.outputs)}."
        )


def read_detections(
    outputs: Mapping[str, np.ndarray],
    row: int,
    spec: ModelSpec,
    min_score: float,
    picture_size: tuple[int, int],
    crop: Box,
) -> list[dict[str, Any]]:
    """What was detected in one picture of a batch, in the model's order, which is by score.

    Args:
        outputs: The detector's outputs, one entry a row on axis 0: `detection_boxes` (rows, n, 4) as fractions of the
            crop in the order ymin, xmin, ymax, xmax; `detection_scores` and `detection_classes` (rows, n); maybe
            `num_detections` (rows,), as the arrays may go on after what was detected.
        row: Which picture.
        spec: Has the labels; a class without one is named by its number.
        min_score: The least score to be told.
        picture_size: Height and width of the whole picture in pixels.
        crop: The part of it that the model saw: top, left, bottom, right in pixels.

    Returns:
        `{"box": [ymin, xmin, ymax, xmax] as fractions of the whole picture, "box_pixels": the same in pixels,
        "class": int, "label": str, "score": float}` for each.
    """
    scores = outputs["detection_scores"][row]
    count = int(outputs["num_detections"].ravel()[row]) if "num_detections" in outputs else len(scores)
    kept = [index for index in range(min(count, len(scores))) if scores[index] >= min_score]
    boxes = _on_whole_picture(outputs["detection_boxes"][row][kept], picture_size, crop)
    pixels = np.rint(boxes * np.tile(picture_size, 2)).astype(int)
    classes = outputs["detection_classes"][row][kept].astype(int)
    return [
        {
            "box": box.tolist(),
            "box_pixels": box_pixels.tolist(),
            "class": int(number),
            "label": class_label(spec, int(number)),
            "score": float(score),
        }
        for box, box_pixels, number, score in zip(boxes, pixels, classes, scores[kept], strict=True)
    ]


def _on_whole_picture(boxes: np.ndarray, picture_size: tuple[int, int], crop: Box) -> np.ndarray:
    """Boxes as fractions of the crop become fractions of the picture, within it."""
    top, left, bottom, right = crop
    offset = np.array([top, left, top, left])
    extent = np.array([bottom - top, right - left] * 2)
    whole = np.clip(boxes.astype(np.float64) * extent + offset, 0, np.tile(picture_size, 2))
    return np.asarray(whole / np.tile(picture_size, 2))


def draw_detections(pixels: np.ndarray, detections: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw boxes with their labels and scores on a picture.

    Args:
        pixels: uint8 (height, width, 3), RGB.
        detections: As `read_detections` gives them.

    Returns:
        A PNG file of the picture's size.
    """
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    text_pixels = min(max(round(min(picture.size) * TEXT_SHARE), MIN_TEXT_PIXELS), MAX_TEXT_PIXELS)
    font = ImageFont.load_default(text_pixels)
    for detection in reversed(detections):
        _draw_one(draw, font, detection, line_pixels=max(2, text_pixels // 8))
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _draw_one(draw: ImageDraw.ImageDraw, font: Any, detection: Mapping[str, Any], line_pixels: int) -> None:
    ymin, xmin, ymax, xmax = detection["box_pixels"]
    colour = _colour(detection["class"])
    draw.rectangle((xmin, ymin, max(xmax - 1, xmin), max(ymax - 1, ymin)), outline=colour, width=line_pixels)
    text = f"{detection['label']} {detection['score']:.2f}"
    _, _, right, bottom = draw.textbbox((0, 0), text, font=font)
    x = max(0, min(xmin, draw.im.size[0] - (right + 2 * line_pixels)))
    y = ymin - bottom - line_pixels if ymin >= bottom + line_pixels else ymin
    draw.rectangle((x, y, x + right + 2 * line_pixels, y + bottom + line_pixels), fill=colour)
    draw.text((x + line_pixels, y), text, fill="black", font=font)


def _colour(number: int) -> tuple[int, int, int]:
    """A light colour for each class; steps of the golden ratio keep neighbouring numbers apart."""
    red, green, blue = colorsys.hls_to_rgb(number * 0.618034 % 1, 0.62, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)
