"""What a changed input is noticed by: name, size, time and the ends of each file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from client.errors import InputError

#: Read at each end of a file; files that are appended to, or written anew, differ there.
_END_BYTES = 65_536


def file_fingerprint(path: Path) -> Mapping[str, Any]:
    """A file's name, size in bytes, time of change in ns, and the SHA-256 of its first and last 64 KiB.

    The folder that it is in does not count. A change in the middle shows in the time.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            digest = sha256(file.read(_END_BYTES))
            file.seek(max(file.tell(), status.st_size - _END_BYTES))
            digest.update(file.read(_END_BYTES))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
    return {
        "name": path.name,
        "bytes": status.st_size,
        "modified_ns": status.st_mtime_ns,
        "sha256_of_ends": digest.hexdigest(),
    }
