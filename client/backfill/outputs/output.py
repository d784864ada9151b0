"""What every kind of output file can do, and which one a file's name asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from client.backfill.answers import Answers
from client.backfill.output_files import OutputFiles
from client.backfill.outputs.json_lines_output import JsonLinesOutput
from client.backfill.outputs.npz_output import npz_output
from client.backfill.parquet_module import parquet_module
from client.errors import OutputError

#: What a checkpoint keeps of an output: JSON that its kind alone understands.
Position: TypeAlias = Mapping[str, Any]


class Output(Protocol):
    """A file of keys and answers. Rows come in the order in which they shall stand; positions may have gaps."""

    #: Whether JSON documents can be written; else a detector is asked for its arrays.
    takes_documents: bool

    def write(self, first: int, keys: Sequence[str], answers: Answers) -> None:
        """Add rows; nothing is durable before `flush`.

        Args:
            first: The position of the first row in the input, for error messages.
            keys: A row's key each.
            answers: As many rows.

        Raises:
            OutputError: The answers do not fit the keys or what was written before, or the disk takes no more.
        """

    def flush(self) -> Position:
        """Make all rows durable; what `open_output` needs to cut the file back to this moment."""

    def finish(self) -> None:
        """After the last `flush`: make the file what the user asked for. Killed in here, it can be done again."""

    def clean_up(self) -> None:
        """After `finish`, when the checkpoint says so too: remove what only a resume needed."""

    def close(self) -> None:
        """Let go of the files, whatever was written."""


Opener: TypeAlias = Callable[[OutputFiles, Position | None], Output]


def _parquet_opener() -> Opener:
    opener: Opener = parquet_module("client.backfill.outputs.parquet_output", OutputError).parquet_output
    return opener


_OPENERS: Mapping[str, Callable[[], Opener]] = {
    ".jsonl": lambda: JsonLinesOutput,
    ".ndjson": lambda: JsonLinesOutput,
    ".npz": lambda: npz_output,
    ".parquet": _parquet_opener,
    ".pq": _parquet_opener,
}


def output_opener(path: Path) -> Opener:
    """What opens an output of this name; meant for before anything else is done.

    Raises:
        OutputError: The suffix names no format, what the format needs is not installed, or the folder does not exist.
    """
    if path.suffix.lower() not in _OPENERS:
        known = ", ".join(_OPENERS)
        raise OutputError(f"{path}: expected a file ending in {known}, which says the format. Rename it.")
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {path.parent}. Make it first.")
    return _OPENERS[path.suffix.lower()]()


def open_output(path: Path, position: Position | None) -> Output:
    """The output of a file's name, ready for its next row.

    Args:
        path: Where; the suffix says the format.
        position: What an earlier `flush` returned: the file is cut back to it. None: the file is new.

    Raises:
        OutputError: The name says no format; a new file exists, or an old one is not what it was.
    """
    return output_opener(path)(OutputFiles(path), position)
