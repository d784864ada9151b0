"""The items of a bulk request: what of it is to be a job each, and what cannot be. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from api.errors import InvalidBody
from api.validation import Input
from model_store.errors import InvalidInput, PictureError

T = TypeVar("T")

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


def check_count(items: int, of: str) -> None:
    """Refuse a request with too many items.

    Raises:
        InvalidBody: more than `MAX_ITEMS`.
    """
    if items > MAX_ITEMS:
        raise InvalidBody("body", f"at most {MAX_ITEMS} {of} in one request", f"{items}")


def items_of(
    first: int, rows: Sequence[T], check: Callable[[Sequence[T]], Input], is_divisible: bool
) -> Iterator[Item]:
    """Rows as one job; where they are refused together, as those of their halves, so that one bad row costs no other.

    Args:
        first: where the first of them stands in the request.
        rows: at least one.
        check: makes an input of rows, or says why it cannot.
        is_divisible: whether the model takes a smaller number of rows too.
    """
    try:
        yield Item(first, len(rows), check(rows))
    except (InvalidInput, PictureError) as error:
        if len(rows) == 1 or not is_divisible:
            yield Item(first, len(rows), error)
            return
        middle = len(rows) // 2
        yield from items_of(first, rows[:middle], check, is_divisible)
        yield from items_of(first + middle, rows[middle:], check, is_divisible)
