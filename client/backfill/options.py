"""What a user says of how an input is read, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadOptions:
    """How an input is read.

    Attributes:
        id_column: The column, member or field with a key for each row; None: its number or path is the key (of JSON
            Lines: what `id` says).
        encoding: Of text; None: as the byte order mark says, else UTF-8.
        round_floats: Round floats of a file to a narrower dtype of the model.
    """

    id_column: str | None = None
    encoding: str | None = None
    round_floats: bool = False
