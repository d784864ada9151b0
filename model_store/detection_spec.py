"""The table [detections] of a model.toml: what the outputs of a detector mean, where their names do not say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_store.errors import SpecError
from model_store.spec_table import Table, name, one_of, whole_number

#: What the four numbers of a box are: edges, or a corner or the centre with width and height.
ORDERS = ("yxyx", "xyxy", "xywh", "cxcywh")
UNITS = ("fractions", "pixels")
LAST_COLUMN = 9_999


@dataclass(frozen=True)
class DetectionSpec:
    """How to read a detector's outputs; the defaults are the Object Detection API's.

    Attributes:
        boxes: The output with the boxes; None for the one named `detection_boxes`. The others likewise.
        scores: The output with the scores.
        classes: The output with the class numbers.
        count: The output that says how many detections count.
        order: One of `ORDERS`: ymin xmin ymax xmax, xmin ymin xmax ymax, xmin ymin width height, or centre x, centre y,
            width, height.
        unit: Whether boxes are fractions of what the model saw, or pixels of it.
        columns: Where the output `boxes` has one line of numbers for each detection, (rows, n, numbers): the place of
            `score`, of `class` if there is one, and of the first of the four of `box`; None where it has boxes only.
    """

    boxes: str | None = None
    scores: str | None = None
    classes: str | None = None
    count: str | None = None
    order: str = "yxyx"
    unit: str = "fractions"
    columns: Mapping[str, int] | None = None


def parse_detections(table: Table) -> DetectionSpec:
    """Parse the table; raises SpecError for an unknown key or a wrong value."""
    table.refuse_unknown_keys("boxes", "scores", "classes", "count", "order", "unit", "columns")
    output = "the name of an output"
    return DetectionSpec(
        boxes=table.read("boxes", output, _output_name),
        scores=table.read("scores", output, _output_name),
        classes=table.read("classes", output, _output_name),
        count=table.read("count", output, _output_name),
        order=table.read("order", f"one of {', '.join(ORDERS)}", one_of(*ORDERS)) or DetectionSpec.order,
        unit=table.read("unit", f"one of {', '.join(UNITS)}", one_of(*UNITS)) or DetectionSpec.unit,
        columns=_parse_columns(table.table("columns")) if "columns" in table.values else None,
    )


def _parse_columns(table: Table) -> Mapping[str, int]:
    table.refuse_unknown_keys("box", "score", "class")
    place = f"a place from 0 to {LAST_COLUMN}"
    places = {key: table.read(key, place, whole_number(0, LAST_COLUMN)) for key in ("box", "score", "class")}
    if places["box"] is None or places["score"] is None:
        raise SpecError(f"{table.file}: detections.columns needs box and score, the places where they are.")
    return {key: at for key, at in places.items() if at is not None}


def _output_name(value: object) -> str:
    """TensorFlow 1 writes a node's first output as `name:0`; here it is the node's name alone."""
    return name(value).removesuffix(":0")
