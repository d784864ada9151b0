"""Rows as JSON Lines: a row's key and its answer, one JSON object a line."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from client.backfill.answers import ID, Answers, Document, column_name
from client.backfill.outputs.byte_strings import byte_strings
from client.backfill.outputs.shortest import shortest
from client.npy import Array

_STRICT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def json_lines(keys: Sequence[str], answers: Answers) -> bytes:
    """A line a row: `{"id": key, …}` with the outputs by name, or the fields of the row's document.

    Numbers read back equal. JSON has no NaN and no infinity: they become null, as they do in the API's answers.
    """
    rows = _array_rows(answers) if isinstance(answers, Mapping) else map(_renamed, answers)
    return b"".join(json_line({ID: key, **row}) for key, row in zip(keys, rows, strict=True))


def json_line(row: Mapping[str, Any]) -> bytes:
    """One JSON object as a line."""
    try:
        text = _STRICT.encode(row)
    except ValueError:
        text = _STRICT.encode(_finite(row))
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        # Names of files that are no UTF-8 have characters that no UTF-8 has: these are escaped.
        return json.dumps(json.loads(text), separators=(",", ":")).encode() + b"\n"


def _array_rows(outputs: Mapping[str, Array]) -> Iterable[Document]:
    names = [column_name(name, outputs) for name in outputs]
    columns = [json_values(array) for array in outputs.values()]
    return (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def _renamed(document: Document) -> Document:
    return {column_name(name, document): value for name, value in document.items()} if ID in document else document


def json_values(array: Array) -> list[Any]:
    """An array as nested lists of what JSON has: text, `{"b64": …}` for other bytes, complex numbers as pairs."""
    if array.dtype.kind == "c":
        array = np.stack([array.real, array.imag], axis=-1)
    if array.dtype.kind in "SVO":
        strings = np.empty(array.size, object)
        strings[:] = [_text(string) for string in byte_strings(array)]
        array = strings.reshape(array.shape)
    nested: list[Any] = shortest(array).tolist()
    return nested


def _text(string: bytes) -> str | dict[str, str]:
    try:
        return string.decode()
    except UnicodeDecodeError:
        return {"b64": b64encode(string).decode()}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
