"""The table [detections] of a model.toml: what the outputs of a detector mean, where their names do not say it."""

from __future__ import annotations

from dataclasses import dataclass

from model_store.spec_table import Table, name, one_of

#: What the four numbers of a box are: edges, or a corner or the centre with width and height.
ORDERS = ("yxyx", "xyxy", "xywh", "cxcywh")
UNITS = ("fractions", "pixels")


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
    """

    boxes: str | None = None
    scores: str | None = None
    classes: str | None = None
    count: str | None = None
    order: str = "yxyx"
    unit: str = "fractions"


def parse_detections(table: Table) -> DetectionSpec:
    """Parse the table; raises SpecError for an unknown key or a wrong value."""
    table.refuse_unknown_keys("boxes", "scores", "classes", "count", "order", "unit")
    output = "the name of an output"
    return DetectionSpec(
        boxes=table.read("boxes", output, _output_name),
        scores=table.read("scores", output, _output_name),
        classes=table.read("classes", output, _output_name),
        count=table.read("count", output, _output_name),
        order=table.read("order", f"one of {', '.join(ORDERS)}", one_of(*ORDERS)) or DetectionSpec.order,
        unit=table.read("unit", f"one of {', '.join(UNITS)}", one_of(*UNITS)) or DetectionSpec.unit,
    )


def _output_name(value: object) -> str:
    """TensorFlow 1 writes a node's first output as `name:0`; here it is the node's name alone."""
    return name(value).removesuffix(":0")
