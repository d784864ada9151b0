"""What a backfill asks of the server, the same for each of its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from client.backfill.tuner import Bounds
from client.errors import ClientError
from client.job_options import JobOptions

#: The server's own limit of pictures in a job (docs/http.md).
MOST_PICTURES = 64
#: Beyond these, rows of any size share what a job costs, and twice as many take 4 MB more memory.
MOST_ROWS = 1024
#: And so many bytes of them take longer to send than what a job costs.
MOST_JOB_BYTES = 4 << 20


@dataclass(frozen=True)
class Order:
    """What each job of a run is.

    Attributes:
        model: The model's name.
        version: The version that all rows get.
        options: Lane, tag and what the model is told.
        as_arrays: Whether answers are fetched as arrays; else as documents.
        fixed_rows: The only number of rows that the model takes; None: any.
    """

    model: str
    version: int
    options: JobOptions
    as_arrays: bool
    fixed_rows: int | None

    def for_arrays(self) -> Order:
        """The same with answers as arrays."""
        return replace(self, as_arrays=True)


def pinned_version(card: Mapping[str, Any], asked: str | None) -> int:
    """The number of the version that is asked for, or of the one that a job gets now.

    Args:
        card: The model as the server tells it.
        asked: A number or a label; None: what the server chooses.

    Raises:
        ClientError: There is none.
    """
    versions, labels = card.get("versions") or [], card.get("labels_of_versions") or {}
    number = labels.get(asked) or (int(asked) if asked and asked.isdecimal() else None)
    found = card.get("version") if asked is None else number
    if found is None or (versions and found not in versions):
        known = ", ".join(map(str, [*versions, *labels])) or "none"
        raise ClientError(f"Model {card.get('name')!r} has no version {asked or found}; it has {known}.")
    return int(found)


def bounds(card: Mapping[str, Any], takes_pictures: bool, fixed_rows: int | None) -> Bounds:
    """What limits the rows of a job of this model."""
    batch_rows = int((card.get("batching") or {}).get("max_batch_size") or 1)
    if takes_pictures:
        return Bounds(MOST_PICTURES, batch_rows)
    return Bounds(MOST_ROWS if fixed_rows is None else fixed_rows, batch_rows)
