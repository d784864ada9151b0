"""Files that survive a cut of the power: one that grows at its end, and one that appears as a whole.

A file is durable when its bytes and the folder's entry for it have both been synced, in this order.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from client.errors import OutputError

_BUFFER_BYTES = 1 << 20

#: What file systems answer that cannot sync a folder, and systems where a folder may be written but not read.
_FOLDER_WITHOUT_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EACCES})


class GrowingFile:
    """A file that is written at its end only, and can be cut to a length that `flush` once returned."""

    def __init__(self, path: Path, length_bytes: int | None) -> None:
        """Open the file for its next byte.

        Args:
            path: The file.
            length_bytes: What it is cut to. None: it is new, and made here; it may be there when it is empty, as a run
                leaves it that was killed before it wrote.

        Raises:
            OutputError: A new one has content, an old one is missing or too short, or it cannot be written.
        """
        self._path = path
        self._is_synced = True
        with telling(path):
            self._file = self._open_new() if length_bytes is None else self._open_old(length_bytes)

    def _open_new(self) -> BinaryIO:
        if not self._path.exists():
            return self._create()
        if not self._path.is_file() or self._path.stat().st_size:
            raise OutputError(f"{self._path} exists already. Name another output, or begin anew with --restart.")
        file = self._path.open("r+b", _BUFFER_BYTES)
        # Who made it may have been killed before it did this.
        sync_folder(self._path.parent)
        return file

    def _open_old(self, length_bytes: int) -> BinaryIO:
        size = self._path.stat().st_size if self._path.is_file() else None
        if size is None and length_bytes == 0:
            return self._create()
        if size is None or size < length_bytes:
            found = "is missing" if size is None else f"has {size}: it was changed or replaced"
            raise OutputError(
                f"{self._path} should have {length_bytes} bytes by its checkpoint, and {found}. "
                "Put it back, or begin anew with --restart."
            )
        file = self._path.open("r+b", _BUFFER_BYTES)
        if size > length_bytes:
            file.truncate(length_bytes)
            self._is_synced = False
        file.seek(length_bytes)
        return file

    def _create(self) -> BinaryIO:
        file = self._path.open("xb", _BUFFER_BYTES)
        sync_folder(self._path.parent)
        return file

    def write(self, content: bytes) -> None:
        """Write at the end; nothing is durable before `flush`.

        Raises:
            OutputError: The disk is full, or broken.
        """
        with telling(self._path):
            self._is_synced = False
            self._file.write(content)

    def flush(self) -> int:
        """Make everything durable; the length in bytes.

        Raises:
            OutputError: The disk is full, or broken, or somebody has removed or cut the file.
        """
        with telling(self._path):
            if not self._is_synced:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._is_synced = True
            length_bytes = self._file.tell()
        # A file that was removed takes bytes without complaint, and nobody will ever read them.
        if length_bytes and self._size_there() < length_bytes:
            raise OutputError(
                f"{self._path} was removed, replaced or cut while a backfill wrote it. "
                "Put it back, or begin anew with --restart."
            )
        return length_bytes

    def _size_there(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return -1

    def close(self) -> None:
        """Close the file; what was not flushed may or may not be in it."""
        with suppress(OSError):
            self._file.close()


@contextmanager
def appearing(path: Path, unfinished: Path) -> Iterator[BinaryIO]:
    """A file to write; when the block ends well it is durable and takes the place of `path`, whatever was there.

    Args:
        path: Where it appears.
        unfinished: Where it is until then, in the same folder; what was there is replaced.

    Raises:
        OutputError: It cannot be written.
    """
    with telling(path):
        try:
            with unfinished.open("wb", _BUFFER_BYTES) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            # On a full disk its room is what the user needs first.
            unfinished.unlink(missing_ok=True)
            raise
        unfinished.replace(path)
        sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file if it is there.

    Raises:
        OutputError: It may not be removed.
    """
    with telling(path):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make durable which files a folder has, where the file system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno in _FOLDER_WITHOUT_SYNC:
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _FOLDER_WITHOUT_SYNC:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into a sentence about `path`."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Nothing of the last checkpoint is lost: "
            "run the same command again when that is mended."
        ) from error
