"""The query of a request that pages through a listing. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

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
