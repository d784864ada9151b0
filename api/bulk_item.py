"""The items of a bulk request: what of it is to be a job each, and what cannot be. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from api.errors import InvalidBody
from api.validation import Input
from model_store.errors import InvalidInput
from model_store.signature import Signature

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

#: Of one request, and so of its answer: 10,000 jobs are stored within some seconds, and told in a megabyte.
MAX_ITEMS = 10_000


@dataclass(frozen=True)
class Item:
    """One or several rows of a request that follow each other.

    Attributes:
        index: Where its first row stands in the request, from 0.
        rows: How many there are.
        content: The checked input of a job, or why there cannot be one.
        line_ids: What the client calls each row; empty where it calls none anything.
    """

    index: int
    rows: int
    content: Input | Exception
    line_ids: Sequence[str | None] = ()


@dataclass(frozen=True)
class Refused:
    """A row that cannot be part of a job, and why."""

    error: Exception
    line_ids: Sequence[str | None] = ()


def check_count(items: int, of: str, most: int = MAX_ITEMS) -> None:
    """Refuse a request with too many items.

    Raises:
        InvalidBody: more than `most`.
    """
    if items > most:
        raise InvalidBody("body", f"at most {most} {of} in one request", f"{items}")


class Run(Protocol[T_contra]):
    """Rows that follow each other and become one job."""

    @property
    def rows(self) -> int:
        """How many there are so far."""

    def takes(self, row: T_contra) -> bool:
        """Whether one more can be of the same job."""

    def add(self, row: T_contra) -> None:
        """Let it be."""

    def item(self, first: int) -> Item:
        """The rows as an item that begins there."""


def items_of(rows: Iterable[T | Refused], rows_per_job: int, start: Callable[[], Run[T]]) -> Iterator[Item]:
    """Rows in their order, as many to a job as go together.

    Args:
        rows: each checked for itself. One that is refused is an item of its own, and ends the job before it.
        rows_per_job: the most.
        start: gives an empty run.
    """
    run, first = start(), 0
    for index, row in enumerate(rows):
        if run.rows and (isinstance(row, Refused) or run.rows == rows_per_job or not run.takes(row)):
            yield run.item(first)
            run = start()
        if isinstance(row, Refused):
            yield Item(index, 1, row.error, row.line_ids)
            continue
        if not run.rows:
            first = index
        run.add(row)
    if run.rows:
        yield run.item(first)


def other_number(field: str, signature: Signature, rows: int) -> InvalidInput | None:
    """What is wrong with so many rows for a model that takes another number of them; None: nothing."""
    if signature.fixed_rows in (None, rows):
        return None
    return InvalidInput(field, f"{signature.fixed_rows} rows, as many as the model takes", f"{rows}")
