"""A text file with the path of a picture on each line, as `find` prints them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from client.backfill.fit import Fit
from client.backfill.inputs.block_reader import Blocks, BlockSource
from client.backfill.inputs.fingerprint import file_fingerprint
from client.backfill.inputs.options import ReadOptions
from client.backfill.inputs.picture_rows import picture_rows, printable
from client.backfill.inputs.picture_source import require_pictures
from client.backfill.inputs.text_lines import check_encoding, is_quickly_read, text_lines
from client.errors import InputError


def open_path_list(path: Path, fit: Fit, options: ReadOptions) -> BlockSource:
    """A list of paths as a source; relative ones begin at the list's folder, of standard input at the working one.

    Raises:
        InputError: It cannot be read, or the model takes no pictures.
    """
    require_pictures(fit)
    check_encoding(options.encoding)
    if options.id_column is not None:
        raise InputError("Pictures have their paths as ids; leave --id-column out.")
    paths = PathList(path, options)
    total_rows = sum(1 for _ in paths.names()) if is_quickly_read(path) else None
    return BlockSource(file_fingerprint(path), total_rows, (), paths.blocks, paths.names)


@dataclass(frozen=True)
class PathList:
    """A list of paths. Blank lines are no rows."""

    path: Path
    options: ReadOptions

    def blocks(self, position: int) -> Blocks:
        """The pictures from a position on."""
        with closing(self._lines()) as lines:
            for row, name in enumerate(islice(lines, position, None), position):
                yield from picture_rows(row, [printable(name)], [name], self.options.folder_of(self.path))

    def names(self) -> Iterator[str]:
        """The keys of all rows."""
        with closing(self._lines()) as lines:
            yield from map(printable, lines)

    def _lines(self) -> Generator[str, None, None]:
        with closing(text_lines(self.path, self.options.encoding, newline=None)) as lines:
            yield from (line.rstrip("\n") for line in lines if not line.isspace())
