"""A backfill that only looks: reads the whole input, tries a few rows on the model, and writes nothing."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any

from client.backfill.cargo import payload_of
from client.backfill.chunk import RowChunk, UnreadRow
from client.backfill.fit import Fit
from client.backfill.order import MOST_PICTURES, pinned_version
from client.backfill.performing import FIRST_PATIENCE, Server, model_card, opened
from client.backfill.progress import Progress
from client.backfill.request import Request
from client.backfill.source import Source
from client.backfill.summary import EXIT_ALL, EXIT_SOME_FAILED, EXIT_STOPPED, duration
from client.celeriac import Celeriac

#: Read at once.
_PORTION_ROWS = 4096
_PORTION_BYTES = 4 << 20

#: Tried on the model.
_SAMPLE_ROWS = 1024

_SHOWN_REASONS = 3


@dataclass
class Findings:
    """What was found.

    Attributes:
        model: The model's name.
        version: The version that the rows would get.
        rows: How many there are.
        unreadable: How many of them cannot be read or do not fit.
        reasons: Of the first of those, sentences.
        rows_per_s: How fast a sample went, from its submission to its end; None: there was none to try.
    """

    model: str
    version: int
    rows: int = 0
    unreadable: int = 0
    reasons: list[str] = field(default_factory=list)
    rows_per_s: float | None = None

    @property
    def estimate_s(self) -> float | None:
        """How long all rows take at the sample's rate."""
        return self.rows_per_s and (self.rows - self.unreadable) / self.rows_per_s

    @property
    def exit_code(self) -> int:
        """0: every row fits; 2: some do not; 1: none does."""
        if self.rows and self.unreadable == self.rows:
            return EXIT_STOPPED
        return EXIT_SOME_FAILED if self.unreadable else EXIT_ALL

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {**asdict(self), "estimate_s": self.estimate_s, "exit_code": self.exit_code}

    def to_text(self) -> str:
        """The same for people."""
        lines = [f"{self.rows:,} rows for {self.model}, version {self.version}; nothing was written."]
        if self.unreadable:
            lines += [f"{self.unreadable:,} of them cannot be sent, such as:", *self.reasons]
        if self.rows_per_s and self.estimate_s is not None:
            lines.append(f"About {duration(self.estimate_s)}: a sample went at {self.rows_per_s:,.0f} rows/s.")
        return "\n".join(lines)


def look(request: Request, server: Server, progress: Progress) -> Findings:
    """Read the input to its end, and try its first rows.

    Raises:
        ClientError: The server cannot be asked, or the input cannot be read or does not fit the model.
    """
    card = model_card(request.model, server, progress)
    fit = Fit.of_model(card, request.options.signature)
    found = Findings(request.model, pinned_version(card, request.version))
    with closing(opened(request, fit)) as source:
        for note in source.notes:
            progress.tell(note)
        sample = _read(source, request.limit, found)
    if sample is not None:
        found.rows_per_s = _try(request, server, fit, found.version, sample)
    return found


def _read(source: Source, limit: int | None, found: Findings) -> RowChunk | None:
    """Count all rows; the first that can be sent."""
    sample = None
    with closing(source.read(0)) as reader:
        while rows := reader.next(_most_rows(limit, found.rows), _PORTION_BYTES):
            for item in rows:
                if isinstance(item, UnreadRow):
                    _refuse(item, found)
                else:
                    found.rows += len(item)
                    sample = sample or item
            if found.rows == limit:
                break
    return sample


def _most_rows(limit: int | None, read: int) -> int:
    return _PORTION_ROWS if limit is None else min(_PORTION_ROWS, limit - read)


def _refuse(row: UnreadRow, found: Findings) -> None:
    found.rows += 1
    found.unreadable += 1
    if len(found.reasons) < _SHOWN_REASONS:
        found.reasons.append(f"  {row.key}: {row.reason}")


def _try(request: Request, server: Server, fit: Fit, version: int, chunk: RowChunk) -> float:
    most_rows = MOST_PICTURES if fit.takes_pictures else fit.fixed_rows or _SAMPLE_ROWS
    sample = chunk.part(0, min(len(chunk), most_rows))
    payload = payload_of(sample, None if fit.takes_pictures else fit.fixed_rows)
    options = {name: value for name, value in asdict(request.options).items() if value is not None}
    with Celeriac(server.url, server.api_key, patience=FIRST_PATIENCE) as api:
        began_s = monotonic()
        job = api.submit(request.model, payload, version=version, **options).wait()
        duration_s = monotonic() - began_s
        job.require_result()
        api.free([job.id])
    return len(sample) / duration_s
