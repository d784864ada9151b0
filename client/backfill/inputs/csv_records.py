"""CSV text -> its records, however many lines each has. Pure.

As Python's module `csv` reads it (RFC 4180), strictly: what follows a closing quote is a delimiter. One bad record
does not take the rest of the file along.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence

from client.backfill.inputs.decoding import Refused
from client.backfill.inputs.text_lines import is_text

#: In characters: how far the end of a quoted cell is looked for, and how long a cell may be.
MAX_RECORD = 16 << 20

_DELIMITERS = ",;\t|"


class CsvRecords:
    """The records of a CSV file as text, each with its line ends. Blank lines are left out."""

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._given_back: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while True:
            line = self._next_line()
            if '"' in line:
                return self._quoted(line)
            if line.strip("\r\n"):
                return line

    def _next_line(self) -> str:
        return self._given_back.popleft() if self._given_back else next(self._lines)

    def _quoted(self, line: str) -> str:
        """The record that begins here; only the line itself where the quotes make no record of it."""
        consumed = [line]
        try:
            next(csv.reader(self._from(consumed), delimiter=self._delimiter, strict=True))
        except csv.Error:
            self._given_back.extendleft(reversed(consumed[1:]))
            return line
        return "".join(consumed)

    def _from(self, consumed: list[str]) -> Iterator[str]:
        yield consumed[0]
        length = len(consumed[0])
        while length <= MAX_RECORD:
            try:
                consumed.append(self._next_line())
            except StopIteration:
                return
            length += len(consumed[-1])
            yield consumed[-1]


def parse_records(records: Sequence[str], delimiter: str, width: int) -> list[list[str] | Refused]:
    """The cells of each record, or why it has none.

    Args:
        records: As `CsvRecords` gives them.
        delimiter: Between cells.
        width: How many cells a record has.
    """
    try:
        rows = list(csv.reader(records, delimiter=delimiter, strict=True))
    except csv.Error:
        rows = []
    if len(rows) == len(records) and set(map(len, rows)) == {width} and is_text("".join(records)):
        return list(rows)
    return [_parse_one(record, delimiter, width) for record in records]


def find_delimiter(header: str) -> str:
    """The one of comma, semicolon, tab and bar that a header has most of outside quotes; a comma where it has none."""
    unquoted = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=unquoted.count)


def _parse_one(record: str, delimiter: str, width: int) -> list[str] | Refused:
    if not is_text(record):
        return Refused("The line holds bytes that are not of the file's encoding.")
    try:
        row = next(csv.reader([record], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as error:
        return Refused(f"The line is no CSV: {error}.")
    return row if len(row) == width else Refused(f"Expected {width} cells, as the header has; found {len(row)}.")
