"""What a folder looks like from outside: changes whenever one of its files does, and is read without opening any."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from model_store.spec import SPEC_FILE_NAME

# A SavedModel's folders are three deep. Links can make a folder its own child, so there is an end to it.
DEEPEST = 8


def fingerprint(folder: Path) -> str:
    """A digest of the names, sizes and times of all files of a version folder, and of what stands beside it for all.

    A folder that cannot be read, wholly or in part, has a fingerprint too: it changes when it can.
    """
    lines = [*_describe(folder, DEEPEST), *_describe(folder.parent / SPEC_FILE_NAME, 0)]
    return sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _describe(path: Path, levels: int) -> Iterator[str]:
    try:
        stat = path.stat()
    except OSError as error:
        yield f"{path} {type(error).__name__}"
        return
    # The second time changes also where a copying program sets the first one back to the original's.
    yield f"{path} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
    if levels and path.is_dir():
        for entry in _entries(path):
            yield from _describe(entry, levels - 1)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
