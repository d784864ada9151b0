"""Tables for people: models, jobs, and the detections or labels of an answer."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Where nothing tells the width, such as in a pipe: a line is as long as its content.
_ENDLESS_COLUMNS = 10_000

#: Where a narrow terminal breaks lines; names stay whole, to be copied.
_FOLDED_COLUMNS = frozenset({"format", "inputs", "label"})
_LABEL = {"label": "label", "class": "class", "score": "score"}
_NUMBER_COLUMNS = frozenset({"row", "rows", "class", "score", "version", "workers", "queued", "queue ms", "compute ms"})


def console() -> Console:
    """Standard output, as wide as the terminal, or without a limit where it is none."""
    return Console(width=None if sys.stdout.isatty() else _ENDLESS_COLUMNS, highlight=False)


def models_table(models: Iterable[Mapping[str, Any]]) -> Table:
    """One line a model, from the API's list."""
    table = _table("name", "status", "version", "format", "inputs", "workers", "queued")
    for model in models:
        _add(
            table,
            model.get("name"),
            "paused" if model.get("paused") else model.get("status"),
            model.get("version"),
            model.get("format"),
            describe_inputs((model.get("signature") or {}).get("inputs") or {}),
            len(model.get("workers") or []),
            model.get("queued"),
        )
    return table


def jobs_table(records: Iterable[Mapping[str, Any]]) -> Table:
    """One line a job, from its record; times are UTC."""
    table = _table("id", "model", "status", "rows", "tag", "created", "queue ms", "compute ms")
    for record in records:
        _add(
            table,
            record.get("id"),
            record.get("model"),
            record.get("status"),
            record.get("rows"),
            record.get("tag") or None,
            # "2026-11-22T14:21:09.123456Z"
            str(record.get("created_at") or "-")[:19].replace("T", " "),
            record.get("queue_ms"),
            record.get("compute_ms"),
        )
    return table


def failure_lines(models: Iterable[Mapping[str, Any]]) -> list[str]:
    """Why models failed, or versions and labels of those that did not, a line each."""
    return [printable(f"{model.get('name')}: {reason}") for model in models for reason in _reasons(model)]


def _reasons(model: Mapping[str, Any]) -> list[str]:
    versions = [f"version {failure['version']}: {failure['reason']}" for failure in model.get("failures") or []]
    return [reason for reason in (model.get("failure"), *versions, model.get("labels_failure")) if reason]


def describe_inputs(inputs: Mapping[str, Mapping[str, Any]]) -> str:
    """A signature's inputs, one a line, such as `image: uint8 (?, 224, 224, 3)`; "?" is a size that may vary."""
    return "\n".join(f"{name}: {spec.get('dtype')} {_shape(spec.get('shape'))}" for name, spec in inputs.items())


def answer_table(answer: Mapping[str, Any]) -> Table | None:
    """An answer's detections or labels as a table; None for an answer of plain tensors.

    A detection names its `row` when the job has several; labels come one a row.
    """
    if "detections" in answer:
        headings = {"row": "row", **_LABEL, "box_pixels": "top, left, bottom, right in pixels"}
        return _found_table(answer["detections"], headings)
    if "labels" in answer:
        labels = answer["labels"]
        numbered = [{"row": row, **label} for row, label in enumerate(labels)] if len(labels) > 1 else labels
        return _found_table(numbered, {"row": "row", **_LABEL})
    return None


def _found_table(found: Sequence[Mapping[str, Any]], headings: Mapping[str, str]) -> Table:
    keys = [key for key in headings if key != "row" or any("row" in entry for entry in found)]
    table = _table(*(headings[key] for key in keys))
    for entry in found:
        _add(table, *(entry.get(key) for key in keys))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in _NUMBER_COLUMNS else "left"
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=heading not in _FOLDED_COLUMNS)
    return table


def _add(table: Table, *values: object) -> None:
    table.add_row(*(Text(printable(_cell(value))) for value in values))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(_cell(part) for part in value)
    return str(value)


def _shape(shape: Sequence[int | None] | None) -> str:
    if shape is None:
        return "any shape"
    return f"({', '.join('?' if size is None else str(size) for size in shape)})"


def printable(text: str) -> str:
    """The text without what could steer a terminal: names and sentences come from model files and from other users."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
