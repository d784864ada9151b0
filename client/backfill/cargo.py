"""Rows as a job's payload, and a job's answer as that of its rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from client.arrays import Answer, Arrays
from client.backfill.answers import Answers
from client.backfill.chunk import RowChunk
from client.errors import UnexpectedReply
from client.input_file import picture_form
from client.npy import Array, encode_npz
from client.payload import NPZ, Payload, sniff


def payload_of(chunk: RowChunk, fixed_rows: int | None) -> Payload:
    """What is sent for the rows.

    Args:
        chunk: The rows.
        fixed_rows: How many a job must have, no more and no fewer: the last row is repeated. None: any number.
    """
    missing = max(0, (fixed_rows or 0) - len(chunk))
    if isinstance(chunk.inputs, Mapping):
        return Payload(encode_npz({name: _filled(array, missing) for name, array in chunk.inputs.items()}), NPZ)
    pictures = [Payload(picture, sniff(picture) or "application/octet-stream") for picture in chunk.inputs]
    return picture_form([*pictures, *pictures[-1:] * missing])


def answers_of(answer: Answer, rows: int, fixed_rows: int | None) -> Answers:
    """A job's answer, cut into those of its rows: arrays with rows on axis 0, or a document for each.

    Args:
        answer: What the server gave.
        rows: How many rows the job had, not counting repeated ones.
        fixed_rows: As for `payload_of`.

    Raises:
        UnexpectedReply: It has another number of rows.
    """
    if isinstance(answer, Arrays):
        return {name: _rows(name, array, rows, fixed_rows or rows) for name, array in answer.items()}
    if "detections" in answer:
        return _detections(answer["detections"], rows)
    labels = answer.get("labels") or []
    if len(labels) >= rows:
        return [dict(label) for label in labels[:rows]]
    outputs = answer.get("outputs") or {}
    return [{name: values[row] for name, values in outputs.items()} for row in range(rows)]


def answer_bytes(answers: Answers) -> int:
    """How much memory they take, about."""
    if isinstance(answers, Mapping):
        return sum(array.nbytes for array in answers.values())
    return sum(200 + 400 * len(document.get("detections", ())) for document in answers)


def _filled(array: Array, missing: int) -> Array:
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array


def _rows(name: str, array: Array, rows: int, sent_rows: int) -> Array:
    if array.ndim and array.shape[0] == sent_rows:
        return array[:rows]
    if rows == 1:
        # An output that has no rows is, of a job of one row, that row's.
        return array[None]
    raise UnexpectedReply(f"Expected {sent_rows} rows of the output {name!r}; it has the shape {array.shape}.")


def _detections(detections: Sequence[Mapping[str, Any]], rows: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"detections": []} for _ in range(rows)]
    for detection in detections:
        # A job of one row does not say which.
        row = int(detection.get("row", 0))
        if row < rows:
            found[row]["detections"].append({name: value for name, value in detection.items() if name != "row"})
    return found
