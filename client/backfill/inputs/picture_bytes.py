"""Encoded pictures: whether bytes are one, and what a file has."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from client.backfill.inputs.decoding import Refused
from client.input_file import CONTENT_TYPES
from client.payload import is_picture_type, sniff

SUFFIXES = frozenset(suffix for suffix, kind in CONTENT_TYPES.items() if is_picture_type(kind))

#: Larger ones no server takes (`CELERIAC_MAX_BODY_BYTES`), and each is held in memory.
MAX_PICTURE_BYTES = 64 << 20


def check_picture(data: bytes, where: str) -> bytes:
    """The same bytes when they begin as a picture does. They are not decoded.

    Raises:
        Refused: They are empty, too many or something else.
    """
    if not data:
        raise Refused(f"{where} is empty; expected a picture.")
    if len(data) > MAX_PICTURE_BYTES:
        raise Refused(f"{where} has more than {MAX_PICTURE_BYTES} bytes, the most that a picture may have.")
    if not is_picture_type(sniff(data)):
        raise Refused(f"{where} does not begin as a JPEG, PNG, WebP, GIF, BMP or TIFF does.")
    return data


def read_picture(path: Path, where: str) -> bytes:
    """A file's bytes.

    Raises:
        Refused: It cannot be read, is no plain file, or holds no picture.
    """
    try:
        # A pipe that has a picture's name would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused(f"{where} is no file.")
            data = file.read(MAX_PICTURE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Refused(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    return check_picture(data, where)
