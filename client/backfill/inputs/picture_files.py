"""Which picture files folders, patterns and names stand for, in an order that is always the same."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic, iglob
from itertools import takewhile
from pathlib import Path

from client.backfill.inputs.picture_bytes import SUFFIXES
from client.errors import InputError

_DIGITS = re.compile("[0-9]+")


def natural_order(name: str) -> tuple[str, str]:
    """A key to sort names by: `img2` before `img10`, case only where nothing else differs."""
    return _DIGITS.sub(_sortable, name.casefold()), name


def _sortable(digits: re.Match[str]) -> str:
    # A number is preceded by how many digits it has, so that it sorts as text does.
    number = digits[0].lstrip("0")
    return f"{len(number):04}{number}"


@dataclass(frozen=True)
class PictureFiles:
    """The pictures that a user named.

    Attributes:
        names: Folders, which are gone through with the folders in them; patterns with `*`, `?`, `[]` and `**`; files.
    """

    names: Sequence[str]

    @property
    def base(self) -> str:
        """The folder that keys are relative to: the one that was named, or the deepest that all have in common."""
        return os.path.commonpath([str(_root(Path(name))) for name in self.names])

    def paths(self, left_out: Counter[str]) -> Iterator[str]:
        """All paths, absolute. The names in a folder are held in memory while it is gone through.

        Args:
            left_out: Counts what is left out, by what it is.

        Raises:
            InputError: A folder cannot be read, or a name stands for nothing.
        """
        for name in self.names:
            path = Path(name)
            if path.is_dir():
                yield from _in_folder(_root(path), left_out)
            elif _exists(path):
                yield str(_root(path) / path.name)
            elif has_magic(name):
                yield from _matching(path, left_out)
            else:
                raise InputError(f"{name} does not exist; expected a file, a folder or a pattern such as '*.jpg'.")


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _root(path: Path) -> Path:
    """A folder itself; a file's folder; of a pattern what is before the first part with a special character."""
    if path.is_dir():
        return path.resolve()
    if _exists(path):
        return path.parent.resolve()
    return Path(*takewhile(lambda part: not has_magic(part), path.parts[:-1])).resolve()


def _matching(pattern: Path, left_out: Counter[str]) -> Iterator[str]:
    fixed = sum(1 for _ in takewhile(lambda part: not has_magic(part), pattern.parts[:-1]))
    rest, root = str(Path(*pattern.parts[fixed:])), _root(pattern)
    # Path.glob takes hidden files, and what it makes of `**` depends on the version of Python.
    matches = sorted(iglob(rest, root_dir=root, recursive=True), key=natural_order)  # noqa: PTH207
    if not matches:
        raise InputError(f"The pattern {str(pattern)!r} matches no file.")
    for match in matches:
        path = root / match
        if path.is_dir():
            left_out["folders that the pattern matches"] += 1
        elif _is_picture_name(match, left_out):
            yield str(path)


def _in_folder(folder: Path | str, left_out: Counter[str]) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=_by_name)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be read: {error.strerror or error}.") from None
    for entry in found:
        if entry.name.startswith("."):
            left_out["hidden files and folders"] += 1
        elif entry.is_dir(follow_symlinks=False):
            yield from _in_folder(entry.path, left_out)
        elif entry.is_dir():
            # A link to a folder could lead back to where it stands.
            left_out["links to folders"] += 1
        elif _is_picture_name(entry.name, left_out):
            yield entry.path


def _by_name(entry: os.DirEntry[str]) -> tuple[str, str]:
    return natural_order(entry.name)


def _is_picture_name(name: str, left_out: Counter[str]) -> bool:
    if Path(name).suffix.lower() in SUFFIXES:
        return True
    left_out["files that are no pictures by their names"] += 1
    return False
