"""The answer of a job of several rows, as one for each of them."""

from __future__ import annotations

from typing import Any

from client.arrays import Answer, Arrays, Document
from client.npy import Array


def split(answer: Answer, rows: int) -> list[Answer]:
    """An answer for each row: arrays without the axis of rows, or a document as of a job with this row alone."""
    if isinstance(answer, Arrays):
        return [Arrays({name: _row(array, row, rows) for name, array in answer.items()}) for row in range(rows)]
    return [answer] if rows == 1 else [_document(answer, row) for row in range(rows)]


def _row(array: Array, row: int, rows: int) -> Array:
    # An output that has no rows is every row's.
    return array[row] if array.ndim and array.shape[0] == rows else array


def _document(answer: Document, row: int) -> Document:
    return {name: _part(name, value, row) for name, value in answer.items()}


def _part(name: str, value: Any, row: int) -> Any:
    if name == "detections":
        own = [detection for detection in value if detection.get("row", 0) == row]
        return [{key: item for key, item in detection.items() if key != "row"} for detection in own]
    if name == "outputs":
        return {output: [rows[row]] for output, rows in value.items()}
    return [value[row]]
