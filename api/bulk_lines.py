"""JSON Lines as the items of a bulk request: a line a row. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from api.bulk_item import Item, Refused, check_count, items_of, other_number
from api.errors import ApiError, InvalidBody
from api.request_body import json_kind, parse_object
from api.validation import Input, encode_input, read_row
from model_store.byte_strings import concatenate
from model_store.errors import InvalidInput
from model_store.signature import Signature
from tasks.payload import Arrays

#: As they are registered, and as they are often sent.
JSON_LINES = ("application/jsonl", "application/x-ndjson")

MAX_ID_CHARACTERS = 512

_NAMES = ("inputs", "instance", "id")


class _Row(NamedTuple):
    arrays: Arrays
    line_id: str | None


def cut_lines(body: bytes, signature: Signature, rows_per_job: int, max_bytes: int) -> Iterator[Item]:
    """Lines, some to a job. Those that have different shapes become different jobs.

    A line is an object: `{"inputs": {name: value}}` with the value of one row for each input, or `{"instance": row}`
    as in a list of `instances`, and optionally `id`, a text of the client's own. Empty lines do not count.

    Args:
        body: the lines.
        signature: of the model.
        rows_per_job: the most.
        max_bytes: of one job's input as arrays.

    Raises:
        InvalidBody: no line, or too many.
    """
    lines = sum(1 for _ in _texts(body))
    if not lines:
        raise InvalidBody("body", "at least one line", "none")
    check_count(lines, "lines")
    rows = (_read(text, signature) for text in _texts(body))
    return items_of(rows, rows_per_job, lambda: _RowRun(signature, max_bytes))


def _texts(body: bytes) -> Iterator[bytes]:
    return (text for text in io.BytesIO(body) if not text.isspace())


def _read(text: bytes, signature: Signature) -> _Row | Refused:
    line_id = None
    try:
        document = parse_object(text, _NAMES)
        line_id = _line_id(document)
        given = [name for name in ("inputs", "instance") if name in document]
        if len(given) != 1:
            raise InvalidBody("body", "exactly one of inputs and instance", " and ".join(given) or "none of them")
        return _Row(read_row(document[given[0]], signature), line_id)
    except (ApiError, InvalidInput) as error:
        return Refused(error, _named([line_id]))


def _line_id(document: dict[str, Any]) -> str | None:
    line_id = document.get("id")
    expected = f"a text of at most {MAX_ID_CHARACTERS} characters"
    if line_id is not None and not isinstance(line_id, str):
        raise InvalidBody("id", expected, f"a JSON {json_kind(line_id)}")
    if line_id is not None and len(line_id) > MAX_ID_CHARACTERS:
        raise InvalidBody("id", expected, f"one of {len(line_id)}")
    return line_id


def _named(line_ids: Sequence[str | None]) -> Sequence[str | None]:
    return line_ids if any(line_id is not None for line_id in line_ids) else ()


class _RowRun:
    """The lines of one job."""

    def __init__(self, signature: Signature, max_bytes: int) -> None:
        self._signature = signature
        self._max_bytes = max_bytes
        self._rows: list[_Row] = []
        self._widths: dict[str, int] = {}

    @property
    def rows(self) -> int:
        return len(self._rows)

    def takes(self, row: _Row) -> bool:
        first, row_inputs = self._rows[0].arrays, self._signature.row_inputs
        return (
            bool(row_inputs)
            and self._size_bytes(row) <= self._max_bytes
            and all(
                array.shape[1:] == first[name].shape[1:] if name in row_inputs else np.array_equal(array, first[name])
                for name, array in row.arrays.items()
            )
        )

    def add(self, row: _Row) -> None:
        self._rows.append(row)
        self._widths = self._wider(row)

    def item(self, first: int) -> Item:
        line_ids = _named([row.line_id for row in self._rows])
        return Item(first, self.rows, self._input(), line_ids)

    def _input(self) -> Input | Exception:
        if error := other_number("inputs", self._signature, self.rows):
            return error
        arrays = {
            name: concatenate([row.arrays[name] for row in self._rows]) if name in self._signature.row_inputs else array
            for name, array in self._rows[0].arrays.items()
        }
        try:
            return encode_input(arrays, self.rows, "inputs", self._max_bytes)
        except InvalidInput as error:
            return error

    def _size_bytes(self, row: _Row) -> int:
        """About what the rows and one more need: strings are as wide as the widest of them."""
        widths = self._wider(row)
        return (self.rows + 1) * sum(array.size * widths[name] for name, array in row.arrays.items())

    def _wider(self, row: _Row) -> dict[str, int]:
        return {name: max(self._widths.get(name, 0), _width(array)) for name, array in row.arrays.items()}


def _width(array: np.ndarray[Any, Any]) -> int:
    """Bytes of an element; of objects, which are bytes of any kind, of the longest."""
    return array.itemsize if array.dtype.kind != "O" else max(map(len, array.flat), default=0)
