"""Encoded pictures: whether bytes are one, and what a file has."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from client.backfill.inputs.decoding import Refused

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})

#: Larger ones no server takes (`CELERIAC_MAX_BODY_BYTES`), and each is held in memory.
MAX_PICTURE_BYTES = 64 << 20

_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")


def check_picture(data: bytes, where: str) -> bytes:
    """The same bytes when they begin as a picture does. They are not decoded.

    Raises:
        Refused: They are empty, too many or something else.
    """
    if not data:
        raise Refused(f"{where} is empty; expected a picture.")
    if len(data) > MAX_PICTURE_BYTES:
        raise Refused(f"{where} has more than {MAX_PICTURE_BYTES} bytes, the most that a picture may have.")
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if not is_webp and not data.startswith(_BEGINNINGS):
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
