"""Rows on their way through the server: which job they are, and what they are cut into."""

from __future__ import annotations

from dataclasses import dataclass, replace

from client.backfill.chunk import RowChunk
from client.backfill.run_state import SubmittedChunk

#: What a row costs beside its values: its key, above all.
_ROW_BYTES = 128


@dataclass(frozen=True, eq=False)
class Flight:
    """Consecutive rows that are one job.

    Attributes:
        chunk: The rows.
        key: The idempotency key of its request.
        is_resumed: Whether an earlier process sent this same request already, or was about to.
        is_part: Whether it is half of a job that failed.
        tries: How often its rows were submitted anew, under another key.
        job_id: The job, once that is known.
    """

    chunk: RowChunk
    key: str
    is_resumed: bool = False
    is_part: bool = False
    tries: int = 0
    job_id: str | None = None

    @classmethod
    def of(cls, chunk: RowChunk, run: str) -> Flight:
        """A new one. No other of the same run has the same rows, and no other run the same name."""
        return cls(chunk, f"{run}-{chunk.first}-{len(chunk)}")

    @property
    def first(self) -> int:
        """The position of its first row."""
        return self.chunk.first

    @property
    def bytes(self) -> int:
        """How much memory it takes, about."""
        return self.chunk.bytes + _ROW_BYTES * len(self.chunk)

    @property
    def journal(self) -> SubmittedChunk:
        """How the checkpoint remembers it."""
        return SubmittedChunk(self.first, len(self.chunk), self.key, self.job_id)

    def taken_as(self, job_id: str) -> Flight:
        """The same, as a job."""
        return replace(self, job_id=job_id)

    def again(self, run: str) -> Flight:
        """The same rows as another job."""
        tries = self.tries + 1
        return Flight(self.chunk, f"{run}-{self.first}-{len(self.chunk)}-{tries}", tries=tries)

    def halves(self, run: str) -> tuple[Flight, Flight]:
        """Its rows as two jobs; it has at least two."""
        middle = len(self.chunk) // 2
        parts = self.chunk.part(0, middle), self.chunk.part(middle, len(self.chunk))
        first, second = (replace(Flight.of(part, run), is_part=True) for part in parts)
        return first, second
