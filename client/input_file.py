"""A file on disk, or standard input, as the inputs of a job: bytes and their content type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import httpx

from client.errors import InputFileError
from client.payload import JSON, NPY, NPZ, Payload

STANDARD_INPUT = "-"

CONTENT_TYPES = {
    ".npy": NPY,
    ".npz": NPZ,
    ".json": JSON,
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}


def read_input(name: str, stdin: BinaryIO, content_type: str | None = None) -> Payload:
    """Read a file, or standard input when the name is "-".

    Args:
        name: A path, or "-".
        stdin: Where "-" is read from.
        content_type: Says what the bytes are; None: the name's suffix says it, in any case.

    Raises:
        InputFileError: The content type is not known, or the file cannot be read or is empty.
    """
    resolved = content_type or content_type_of(name)
    content = stdin.read() if name == STANDARD_INPUT else read_file(Path(name))
    if not content:
        raise InputFileError("It is empty; a job needs inputs.")
    return Payload(content, resolved)


def read_together(names: Sequence[str], stdin: BinaryIO, content_type: str | None = None) -> Payload:
    """Read several pictures as the inputs of one job: a form with a field `image` for each, in their order.

    Raises:
        InputFileError: As for `read_input`; the sentence names the file.
    """
    files = []
    for name in names:
        try:
            files.append(read_input(name, stdin, content_type))
        except InputFileError as error:
            raise InputFileError(f"{name}: {error}") from None
    return picture_form(files)


def picture_form(pictures: Sequence[Payload]) -> Payload:
    """Several pictures as one payload: a form with a field `image` for each, in their order."""
    files = [("image", ("picture", picture.content, picture.content_type)) for picture in pictures]
    form = httpx.Request("POST", "", files=files)
    return Payload(form.read(), form.headers["Content-Type"])


def content_type_of(name: str) -> str:
    """The content type that a file's suffix says.

    Raises:
        InputFileError: It is none that is known.
    """
    if name == STANDARD_INPUT:
        raise InputFileError("Standard input has no suffix; say what it is, such as --content-type application/x-npy.")
    suffix = Path(name).suffix
    try:
        return CONTENT_TYPES[suffix.lower()]
    except KeyError:
        found = f"the suffix {suffix!r} is not known" if suffix else "it has no suffix"
        known = ", ".join(CONTENT_TYPES)
        raise InputFileError(f"Expected a file ending in {known}; {found}. Or say --content-type.") from None


def read_file(path: Path) -> bytes:
    """A file's content.

    Raises:
        InputFileError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputFileError(f"It cannot be read: {reason}.") from None
