"""What a user asks of a backfill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.backfill.inputs.options import ReadOptions
from client.job_options import JobOptions


@dataclass(frozen=True)
class Request:
    """A backfill as it was asked for.

    Attributes:
        inputs: A file, a folder, a pattern, pictures, or "-".
        format: What kind of input it is; None: its suffix says it.
        reading: How it is read.
        model: The model's name.
        version: A number or a label; None: what the server chooses.
        options: What each job is submitted with.
        output: Where the answers go.
        is_ordered: Whether they stand in the input's order.
        limit: Take no more rows than that; None: all.
        most_failures: More failed rows than that end the run; None: however many.
        restart: Begin anew, whatever is there.
    """

    inputs: tuple[str, ...]
    format: str | None
    reading: ReadOptions
    model: str
    version: str | None
    options: JobOptions
    output: Path
    is_ordered: bool
    limit: int | None
    most_failures: int | None
    restart: bool

    def identity(self, fingerprint: Mapping[str, Any], version: int) -> dict[str, Any]:
        """What a later run must agree with to go on."""
        told = self.options
        return {
            "input": fingerprint,
            "model": self.model,
            "version": version,
            "signature": told.signature,
            "min_score": told.min_score,
            "max_detections": told.max_detections,
            "limit": self.limit,
            "unordered": not self.is_ordered,
        }
