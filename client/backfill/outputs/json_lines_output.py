"""The output as JSON Lines: a row is in the file as soon as it is written, one object a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from client.backfill.answers import Answers, check_rows
from client.backfill.output_files import OutputFiles
from client.backfill.outputs.durable_file import GrowingFile
from client.backfill.outputs.json_rows import json_lines


class JsonLinesOutput:
    """`{"id": key, …}` a line; `Output` says what each method owes."""

    takes_documents = True

    def __init__(self, files: OutputFiles, position: Mapping[str, Any] | None) -> None:
        self._file = GrowingFile(files.output, None if position is None else position["bytes"])

    def write(self, first: int, keys: Sequence[str], answers: Answers) -> None:
        """Add lines."""
        check_rows(first, keys, answers)
        self._file.write(json_lines(keys, answers))

    def flush(self) -> Mapping[str, Any]:
        """Make the lines durable; `{"bytes": length}`."""
        return {"bytes": self._file.flush()}

    def finish(self) -> None:
        """The file is complete at each `flush`; what a resume cut off is gone for good after this."""
        self._file.flush()

    def clean_up(self) -> None:
        """Nothing is beside the file."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
