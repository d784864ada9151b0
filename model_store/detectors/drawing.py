"""Detections drawn on the picture that they were found in."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Text and lines that can be read in small pictures and do not cover large ones.
TEXT_SHARE = 1 / 40
MIN_TEXT_PIXELS = 12
MAX_TEXT_PIXELS = 64


def draw_detections(pixels: np.ndarray, detections: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw boxes with their labels and scores on a picture.

    Args:
        pixels: uint8 (height, width, 3), RGB.
        detections: As `model_store.detectors.detections.read_detections` gives them.

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
