"""JSON Lines as the items of a bulk request: a line a row. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from api.bulk_item import Item, check_count, items_of
from api.errors import ApiError, InvalidBody
from api.request_body import json_kind, parse_object
from api.validation import Input, check_rows
from model_store.signature import Signature

#: As they are registered, and as they are often sent.
JSON_LINES = ("application/jsonl", "application/x-ndjson")

MAX_ID_CHARACTERS = 512

_NAMES = ("inputs", "instance", "id")


@dataclass(frozen=True)
class _Line:
    """A row's values, or why the line has none."""

    row: Any = None
    line_id: str | None = None
    error: ApiError | None = None


def cut_lines(body: bytes, signature: Signature, rows_per_job: int, max_bytes: int) -> Iterator[Item]:
    """Lines, some to a job. Those that fit the model, but not each other, become several jobs.

    A line is an object: `{"inputs": {name: value}}` with the value of one row for each input, or `{"instance": row}`
    as in a list of `instances`, and optionally `id`, a text of the client's own. Empty lines do not count.

    Args:
        body: the lines.
        signature: of the model.
        rows_per_job: jobs before a line that cannot be read, and the last one, may have fewer.
        max_bytes: of one job's input as arrays.

    Raises:
        InvalidBody: no line, or too many.
    """
    lines = sum(1 for _ in _texts(body))
    if not lines:
        raise InvalidBody("body", "at least one line", "none")
    check_count(lines, "lines")
    return _cut(body, signature, rows_per_job, max_bytes)


def _cut(body: bytes, signature: Signature, rows_per_job: int, max_bytes: int) -> Iterator[Item]:
    def items(end: int, lines: Sequence[_Line]) -> Iterator[Item]:
        first = end - len(lines)
        for item in items_of(first, lines, check, is_divisible=signature.fixed_rows in (None, 1)):
            start = item.index - first
            yield _named(item, lines[start : start + item.rows])

    def check(lines: Sequence[_Line]) -> Input:
        return check_rows([line.row for line in lines], signature, max_bytes)

    pending: list[_Line] = []
    index = 0
    for index, text in enumerate(_texts(body), 1):
        line = _read(text)
        if line.error is None:
            pending.append(line)
        if pending and (line.error or len(pending) == rows_per_job):
            yield from items(index - (line.error is not None), pending)
            pending = []
        if line.error:
            yield _named(Item(index - 1, 1, line.error), [line])
    if pending:
        yield from items(index, pending)


def _texts(body: bytes) -> Iterator[bytes]:
    return (text for text in io.BytesIO(body) if not text.isspace())


def _read(text: bytes) -> _Line:
    line_id = None
    try:
        document = parse_object(text, _NAMES)
        line_id = _line_id(document)
        given = [name for name in ("inputs", "instance") if name in document]
        if len(given) != 1:
            raise InvalidBody("body", "exactly one of inputs and instance", " and ".join(given) or "none of them")
    except ApiError as error:
        return _Line(line_id=line_id, error=error)
    return _Line(document[given[0]], line_id)


def _line_id(document: dict[str, Any]) -> str | None:
    line_id = document.get("id")
    expected = f"a text of at most {MAX_ID_CHARACTERS} characters"
    if line_id is not None and not isinstance(line_id, str):
        raise InvalidBody("id", expected, f"a JSON {json_kind(line_id)}")
    if line_id is not None and len(line_id) > MAX_ID_CHARACTERS:
        raise InvalidBody("id", expected, f"one of {len(line_id)}")
    return line_id


def _named(item: Item, lines: Sequence[_Line]) -> Item:
    line_ids = [line.line_id for line in lines]
    return replace(item, line_ids=line_ids) if any(line_id is not None for line_id in line_ids) else item
