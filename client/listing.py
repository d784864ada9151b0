"""One's own jobs, page by page."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from client.procedures import Procedures
from client.steps import Emit, Stream

PAGE_JOBS = 100


@dataclass(frozen=True)
class JobFilters:
    """Which jobs; None: any."""

    model: str | None = None
    status: str | None = None
    tag: str | None = None


def listing(procedures: Procedures, filters: JobFilters, page_jobs: int = PAGE_JOBS) -> Stream:
    """Emits the records of all jobs that pass, newest first; asks for a page when the one before is used up."""
    after: str | None = None
    while True:
        records, after = yield from procedures.page_of_jobs(asdict(filters), after, page_jobs)
        for record in records:
            yield Emit(record)
        if after is None:
            return
