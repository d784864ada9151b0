"""The query of a request that pages through a listing. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from api.errors import InvalidParameter

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


def read_query(arguments: Iterable[tuple[str, str]], names: Collection[str]) -> dict[str, str]:
    """The parameters that have a value.

    Raises:
        InvalidParameter: one with another name than these, or two values for one.
    """
    values: dict[str, str] = {}
    for name, text in arguments:
        if name not in names:
            raise InvalidParameter(name[:40], f"one of the parameters {', '.join(names)}", "an unknown name")
        if values.setdefault(name, text) != text:
            raise InvalidParameter(name, "one value", "different values in one request")
    return {name: text for name, text in values.items() if text}


def read_limit(given: Mapping[str, str]) -> int:
    """How many entries a page has at most.

    Raises:
        InvalidParameter: no number from 1 to `MAX_LIMIT`.
    """
    text = given.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise InvalidParameter("limit", f"a whole number from 1 to {MAX_LIMIT}", repr(text)[:80])
    return int(text)


def read_status(given: Mapping[str, str], known: Sequence[str]) -> str:
    """The status that entries are to have; empty: any.

    Raises:
        InvalidParameter: it is none of those that are known.
    """
    status = given.get("status", "")
    if status and status not in known:
        raise InvalidParameter("status", f"one of {', '.join(known)}", repr(status)[:80])
    return status


def read_after(given: Mapping[str, str], cursor: re.Pattern[str]) -> re.Match[str] | None:
    """Where the page before ended; None: this one is the first.

    Raises:
        InvalidParameter: it does not look like a cursor of this listing.
    """
    text = given.get("after", "")
    found = cursor.fullmatch(text)
    if text and found is None:
        raise InvalidParameter("after", "what the page before has as after", repr(text)[:80])
    return found
