"""An input of a backfill, whatever its kind: what it is, and its rows from any position on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from client.backfill.chunk import Rows


class Reader(Protocol):
    """Goes through an input once, in its order."""

    def next(self, most_rows: int, most_bytes: int) -> Rows:
        """The rows that come next, with consecutive positions; empty: the end.

        Args:
            most_rows: At most so many, rows that cannot be read included.
            most_bytes: At most so many bytes; a single row may have more.

        Raises:
            InputError: The input cannot be read any further: it is damaged, or was changed meanwhile.
        """

    def close(self) -> None:
        """Close its files."""


class Source(Protocol):
    """An input."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Names, sizes, times and digests by which a changed input is noticed; JSON."""

    @property
    def total_rows(self) -> int | None:
        """How many rows it has; None where only reading it would tell."""

    @property
    def notes(self) -> Sequence[str]:
        """What people should know before it is read, sentences: columns or files that are left out."""

    def read(self, position: int) -> Reader:
        """A reader whose first row is the one at `position`, from 0."""

    def close(self) -> None:
        """Delete what was put aside for reading it, such as a copy of standard input."""
