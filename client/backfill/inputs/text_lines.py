"""Lines of a text file: any encoding with a name or a byte order mark, compressed or not, none longer than a limit."""

from __future__ import annotations

import gzip
import io
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, lookup
from collections.abc import Generator
from contextlib import AbstractContextManager
from pathlib import Path

from client.errors import InputError

#: In characters. A longer line comes in pieces, so that a file without line ends does not fill the memory.
MAX_LINE = 64 << 20

_GZIP = b"\x1f\x8b"
_UTF8, _UTF16 = "utf-8-sig", "utf-16"

#: Up to so many bytes (of a compressed file an eighth) the rows of a text file are counted before they are read.
_COUNTED_BYTES = 256 << 20
_COUNTED_COMPRESSED_BYTES = _COUNTED_BYTES // 8


def text_lines(path: Path, encoding: str | None, newline: str | None) -> Generator[str, None, None]:
    """The file's lines with their ends; the file is closed with the generator.

    Bytes that the encoding does not know become lone surrogates, see `is_text`, and do not stop the reading.

    Args:
        path: The file; gzip is known by its first bytes.
        encoding: None: as the byte order mark says, else UTF-8.
        newline: As `open` has it.

    Raises:
        InputError: It cannot be read or decompressed, or the encoding does not let it go on.
    """
    try:
        with path.open("rb") as raw, _decompressed(raw) as binary:
            text = io.TextIOWrapper(binary, _encoding(binary, encoding), "surrogateescape", newline)
            while line := text.readline(MAX_LINE):
                yield line
    except (OSError, EOFError, UnicodeError, zlib.error) as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> InputError:
    """The sentence for a file that cannot be read, or not any further."""
    return InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.")


def is_text(line: str) -> bool:
    """Whether all its bytes were of the encoding."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_encoding(encoding: str | None) -> None:
    """Return when Python knows the encoding.

    Raises:
        InputError: It does not.
    """
    try:
        lookup(encoding or "utf-8")
    except LookupError:
        raise InputError(f"The encoding {encoding!r} is not known; expected a name such as utf-8 or cp1252.") from None


def is_quickly_read(path: Path) -> bool:
    """Whether going through all of the file takes about a second, so that its rows may be counted.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            is_compressed = file.read(len(_GZIP)) == _GZIP
            return file.seek(0, io.SEEK_END) <= (_COUNTED_COMPRESSED_BYTES if is_compressed else _COUNTED_BYTES)
    except OSError as error:
        raise unreadable(path, error) from None


def _decompressed(raw: io.BufferedReader) -> AbstractContextManager[io.BufferedReader]:
    if raw.peek(len(_GZIP))[: len(_GZIP)] != _GZIP:
        return raw
    return io.BufferedReader(gzip.GzipFile(fileobj=raw))


def _encoding(binary: io.BufferedReader, said: str | None) -> str:
    """What was said, but with UTF-8's byte order mark skipped; else what the mark says, else UTF-8."""
    if said is not None:
        return _UTF8 if lookup(said).name == "utf-8" else said
    start = binary.peek(2)
    return _UTF16 if start.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else _UTF8
