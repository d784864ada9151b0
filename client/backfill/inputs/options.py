"""What a user says of how an input is read, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReadOptions:
    """How an input is read.

    Attributes:
        id_column: The column, member or field with a key for each row; None: its number or path is the key (of JSON
            Lines: what `id` says).
        encoding: Of text; None: as the byte order mark says, else UTF-8.
        round_floats: Round floats of a file to a narrower dtype of the model.
        folder: Where relative paths of pictures in a table or list begin; None: where the table or list is.
    """

    id_column: str | None = None
    encoding: str | None = None
    round_floats: bool = False
    folder: Path | None = None

    def folder_of(self, path: Path) -> Path:
        """Where relative paths that stand in a file begin."""
        return path.parent if self.folder is None else self.folder
