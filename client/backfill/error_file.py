"""The rows that have no answer, beside the output: why, a JSON object a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from client.backfill.answers import ID
from client.backfill.output_files import OutputFiles
from client.backfill.outputs.durable_file import GrowingFile, remove
from client.backfill.outputs.json_rows import json_line


@dataclass(frozen=True)
class Failure:
    """Why rows have no answer.

    Attributes:
        type: The API's stable name of the error, or `unreadable` where the row never left.
        message: A sentence.
    """

    type: str
    message: str


class ErrorFile:
    """`{"id": key, "row": position, "error": {"type", "message"}}` a line; gone at the end when no row failed."""

    def __init__(self, files: OutputFiles, position: Mapping[str, Any] | None) -> None:
        """Open it as `open_output` opens an output."""
        self._path = files.errors
        self._file = GrowingFile(self._path, None if position is None else position["bytes"])

    def write(self, first: int, keys: Sequence[str], failure: Failure) -> None:
        """Add a line for each of consecutive rows that failed together."""
        error = {"type": failure.type, "message": failure.message}
        for position, key in enumerate(keys, first):
            self._file.write(json_line({ID: key, "row": position, "error": error}))

    def flush(self) -> Mapping[str, Any]:
        """Make the lines durable; `{"bytes": length}`."""
        return {"bytes": self._file.flush()}

    def finish(self) -> None:
        """After the last `flush`: remove the file when it is empty."""
        if not self._file.flush():
            remove(self._path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
