"""COCO's class names, by the numbers that detectors trained on it give: 1 to 90, with gaps, for 80 classes.

Numbers and names are those of COCO's instance annotations (cocodataset.org, which are CC BY 4.0), as TensorFlow's
Object Detection API uses them too (object_detection/data/mscoco_label_map.pbtxt, Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LARGEST_CLASS = 90
UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}

_NAMES = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign, parking
meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella, handbag, tie,
suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis
racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog,
pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, cell
phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush
"""

_NUMBERS = (number for number in range(1, LARGEST_CLASS + 1) if number not in UNUSED)
COCO_LABELS: Mapping[int, str] = MappingProxyType(
    dict(zip(_NUMBERS, (name.strip() for name in _NAMES.split(",")), strict=True))
)
