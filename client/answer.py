"""A job's answer in the format that was asked for: printed, or saved to a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from client.errors import AnswerError, UnexpectedReply
from client.tables import answer_table, console

#: What the server is asked for, by the format's name; a file's suffix is a dot and the name.
MEDIA_TYPES = {
    "json": "application/json",
    "npy": "application/x-npy",
    "npz": "application/x-npz",
    "png": "image/png",
}


def choose_format(asked: str | None, output: Path | None) -> str:
    """The answer's format, a key of `MEDIA_TYPES`: the one asked for, else by the file's suffix, else JSON.

    Raises:
        AnswerError: The file's suffix names no format.
    """
    if asked:
        return asked
    if output is None:
        return "json"
    suffix = output.suffix.lower().removeprefix(".")
    if suffix not in MEDIA_TYPES:
        known = ", ".join(f".{name}" for name in MEDIA_TYPES)
        raise AnswerError(f"{output}: expected a file ending in {known}. Rename it, or say --format.")
    return suffix


def check_destination(chosen: str, output: Path | None, is_terminal: bool) -> None:
    """Return only when an answer of this format can go there; meant for before a long wait.

    Raises:
        AnswerError: The file's folder does not exist, or binary data would go to a terminal.
    """
    if output is None and is_terminal and chosen != "json":
        raise AnswerError(f"{chosen} is no text for a terminal. Name a file with --output, or redirect the output.")
    if output is not None and not output.parent.is_dir():
        raise AnswerError(f"{output} cannot be written: there is no folder {output.parent}. Make it first.")


def save(content: bytes, output: Path) -> None:
    """Write the answer to a file, replacing what was there.

    Raises:
        AnswerError: The file cannot be written.
    """
    try:
        output.write_bytes(content)
    except OSError as error:
        raise AnswerError(f"{output} cannot be written: {error.strerror}. The answer stays on the server.") from None


def print_answer(content: bytes, chosen: str, as_table: bool) -> None:
    """Print the answer: binary as it is, JSON as a line, or detections and labels as a table.

    Raises:
        UnexpectedReply: A table was wanted and the answer is no JSON object.
    """
    table = answer_table(_parse(content)) if as_table and chosen == "json" else None
    if table is not None:
        console().print(table)
    elif chosen == "json":
        click.echo(content.rstrip())
    else:
        click.echo(content, nl=False)


def _parse(content: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise UnexpectedReply("Expected the result as a JSON object; got something else. Is this a Celeriac?")
    return answer
