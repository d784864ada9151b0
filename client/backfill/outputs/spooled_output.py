"""An output whose format can only be written as a whole: rows are spooled, and put together at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

from client.backfill.answers import Answers, check_rows
from client.backfill.output_files import OutputFiles
from client.backfill.outputs.durable_file import GrowingFile, appearing, remove, telling
from client.backfill.outputs.spool import SpoolWriter
from client.errors import OutputError

#: Writes what the first file, a spool, has into the second one; reads it as often as it likes.
Assembly = Callable[[BinaryIO, BinaryIO], None]


class SpooledOutput:
    """Rows in a spool, and then in a file of the format that `assemble` knows; `Output` says what each method owes."""

    def __init__(
        self, files: OutputFiles, position: Mapping[str, Any] | None, assemble: Assembly, takes_documents: bool
    ) -> None:
        if position is None and files.output.exists():
            raise OutputError(f"{files.output} exists already. Name another output, or begin anew with --restart.")
        self.takes_documents = takes_documents
        self._files = files
        self._assemble = assemble
        #: How many dimensions a row of each output has, as in all rows before; None before the first.
        self._dimensions: Mapping[str, int] | None = None if position is None else position["dimensions"]
        self._file = GrowingFile(files.spool, None if position is None else position["bytes"])
        self._spool = SpoolWriter(self._file)

    def write(self, first: int, keys: Sequence[str], answers: Answers) -> None:
        """Add rows to the spool.

        Raises:
            OutputError: They are not as those before, or are documents where only arrays can be written.
        """
        check_rows(first, keys, answers)
        if not isinstance(answers, Mapping) and not self.takes_documents:
            raise OutputError(f"{self._files.output} holds arrays, no documents. Ask for .jsonl or .parquet.")
        dimensions = _dimensions_of(answers)
        if self._dimensions not in (None, dimensions):
            raise OutputError(
                f"Row {first}: its outputs have other names or dimensions than those before, {_listed(dimensions)} "
                f"instead of {_listed(self._dimensions or {})}. Write them to .jsonl."
            )
        self._dimensions = dimensions
        self._spool.write(keys, answers)

    def flush(self) -> Mapping[str, Any]:
        """Make the spool durable; `{"bytes": its length, "dimensions": {output: number}}`."""
        return {"bytes": self._spool.flush(), "dimensions": self._dimensions}

    def finish(self) -> None:
        """Put the output together from the spool, and then into its place."""
        # Whether it is still all there.
        self._spool.flush()
        with (
            telling(self._files.spool),
            self._files.spool.open("rb") as spool,
            appearing(self._files.output, self._files.unfinished) as output,
        ):
            self._assemble(spool, output)

    def clean_up(self) -> None:
        """Remove the spool."""
        self.close()
        remove(self._files.spool)

    def close(self) -> None:
        """Close the spool."""
        self._file.close()


def _dimensions_of(answers: Answers) -> Mapping[str, int] | None:
    """Numbers of dimensions by output; empty for documents."""
    if isinstance(answers, Mapping):
        return {name: array.ndim - 1 for name, array in answers.items()}
    return {}


def _listed(dimensions: Mapping[str, int] | None) -> str:
    return ", ".join(f"{name} ({number})" for name, number in (dimensions or {}).items()) or "documents"
