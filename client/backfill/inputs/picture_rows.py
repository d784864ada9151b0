"""Pictures named or held by the rows of a table or a list -> rows, one at a time: each may have megabytes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from client.backfill.chunk import RowChunk, UnreadRow
from client.backfill.inputs.block_reader import Blocks
from client.backfill.inputs.decoding import Refused
from client.backfill.inputs.picture_bytes import check_picture, read_picture
from client.backfill.inputs.values import bytes_of


def picture_rows(first: int, keys: Sequence[str], values: Sequence[Any], folder: Path) -> Blocks:
    """A block for each picture.

    Args:
        first: The position of the first row.
        keys: A key for each row.
        values: For each row what `picture_of` takes, or the `Refused` for which it has none.
        folder: Where relative paths begin.
    """
    for position, (key, value) in enumerate(zip(keys, values, strict=True), first):
        try:
            yield [RowChunk(position, [key], [picture_of(value, folder)])]
        except Refused as refusal:
            yield [UnreadRow(position, key, str(refusal))]


def picture_of(value: Any, folder: Path) -> bytes:
    """A picture's bytes, unchanged.

    Args:
        value: A path, the bytes themselves, `{"b64": …}`, or `{"bytes": …, "path": …}` as Hugging Face's data sets
            have it, where one of the two may be missing.
        folder: Where relative paths begin.

    Raises:
        Refused: There is none, or it cannot be read.
    """
    if isinstance(value, Refused):
        raise value
    if isinstance(value, Mapping):
        value = bytes_of(value) or value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return check_picture(value, "The picture")
    if isinstance(value, str) and value:
        return read_picture(folder / value, printable(value))
    raise Refused("Expected a picture or its path, found " + ("nothing." if not value else f"{type(value).__name__}."))


def printable(path: str) -> str:
    """A path as text that every file and terminal takes; bytes that are no UTF-8 are escaped."""
    try:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        # Half of a surrogate pair in JSON, which stands for no byte.
        return path.encode("utf-8", "backslashreplace").decode()
