"""How rows are mapped, and what can be rows."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from client.errors import InputError
from client.job_options import JobOptions


@dataclass(frozen=True)
class MapOptions:
    """How rows are mapped.

    Attributes:
        model: Its name.
        window: The most jobs that are under way or wait to be consumed.
        rows_per_job: How many rows a job has; fewer before a row of another shape, and where rows come slowly.
        arrays: As of `Job.result`.
        yield_errors: Give a row's error in its place; else it is raised there.
        version: Of the model; None: the server chooses.
        job: What the jobs have beside their inputs.
    """

    model: str
    window: int
    rows_per_job: int
    arrays: bool | None = None
    yield_errors: bool = False
    version: int | str | None = None
    job: JobOptions = field(default_factory=JobOptions)

    def __post_init__(self) -> None:
        for name, value in (("window", self.window), ("rows_per_job", self.rows_per_job)):
            if value < 1:
                raise InputError(f"{name}: expected at least 1, got {value}.")


def check_rows(rows: Any) -> None:
    """Return only when these can be rows, as far as their kind tells.

    Raises:
        InputError: One text, one mapping of columns, or nothing to iterate over.
    """
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable | AsyncIterable):
        raise InputError(f"rows: expected an iterable of rows, got one {type(rows).__name__}.")
