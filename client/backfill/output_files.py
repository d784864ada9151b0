"""The files of one backfill: the output, and beside it, named for it, what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OutputFiles:
    """Where one backfill writes.

    Attributes:
        output: The file that the user named.
    """

    output: Path

    @property
    def errors(self) -> Path:
        """Rows without an answer, a line each."""
        return self._beside(".errors.jsonl")

    @property
    def checkpoint(self) -> Path:
        """What a later run goes on from."""
        return self._beside(".checkpoint")

    @property
    def spool(self) -> Path:
        """The rows so far, of a format that can only be written as a whole."""
        return self._beside(".spool")

    @property
    def unfinished(self) -> Path:
        """The output while it is put together from the spool."""
        return self._beside(".unfinished")

    @property
    def written(self) -> tuple[Path, ...]:
        """All that holds rows."""
        return self.output, self.errors, self.spool, self.unfinished

    def _beside(self, suffix: str) -> Path:
        return self.output.with_name(self.output.name + suffix)
