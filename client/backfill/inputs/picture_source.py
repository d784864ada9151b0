"""Picture files as a source: a row a file, its path the key."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from client.backfill.fit import Fit
from client.backfill.inputs.block_reader import Blocks, BlockSource
from client.backfill.inputs.options import ReadOptions
from client.backfill.inputs.picture_files import PictureFiles
from client.backfill.inputs.picture_rows import picture_rows, printable
from client.errors import InputError


def open_pictures(names: Sequence[str], fit: Fit, options: ReadOptions) -> BlockSource:
    """Folders, patterns and files of pictures as a source. Going to a position lists the folders once more.

    Raises:
        InputError: The model takes no pictures, or there are none.
    """
    require_pictures(fit)
    if options.id_column is not None:
        raise InputError("Pictures have their paths as ids; leave --id-column out.")
    files = PictureFiles(names)
    survey = _survey(files)
    if not survey.files:
        raise InputError(f"There is no picture in {', '.join(names)}. {' '.join(survey.notes)}".strip())
    rows = PictureRows(files)
    keys = rows.keys if len(names) > 1 else None
    return BlockSource(survey.fingerprint, survey.files, survey.notes, rows.blocks, keys)


def require_pictures(fit: Fit) -> None:
    """Return when the model takes pictures.

    Raises:
        InputError: It does not.
    """
    if not fit.takes_pictures:
        inputs = ", ".join(f"{name}: {spec}" for name, spec in fit.inputs.items())
        raise InputError(f"Model {fit.model!r} takes no pictures; a row of it is {inputs}.")


@dataclass(frozen=True)
class PictureRows:
    """The rows of picture files."""

    files: PictureFiles

    def blocks(self, position: int) -> Blocks:
        """The pictures from a position on."""
        base = self.files.base
        for path in islice(self.files.paths(Counter()), position, None):
            yield from picture_rows(position, [_key(path, base)], [path], Path(base))
            position += 1

    def keys(self) -> Iterator[str]:
        """The keys of all rows."""
        base = self.files.base
        return (_key(path, base) for path in self.files.paths(Counter()))


@dataclass(frozen=True)
class _Survey:
    files: int
    fingerprint: Mapping[str, Any]
    notes: Sequence[str]


def _survey(files: PictureFiles) -> _Survey:
    """Go through all names once: how many, how large, and a digest of each file's key, size and time."""
    base, left_out, digest = files.base, Counter[str](), sha256()
    count = total_bytes = 0
    for path in files.paths(left_out):
        size, modified_ns = _status(path)
        digest.update(f"{_key(path, base)}\0{size}\0{modified_ns}\n".encode())
        count += 1
        total_bytes += size
    fingerprint = {"files": count, "bytes": total_bytes, "sha256_of_names_sizes_times": digest.hexdigest()}
    return _Survey(count, fingerprint, [f"Left out: {number} {what}." for what, number in left_out.items()])


def _status(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except OSError:
        # A link to nothing: it has a row, which says so.
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _key(path: str, base: str) -> str:
    return printable(path.removeprefix(base).lstrip(os.sep)).replace(os.sep, "/")
