"""The parameter `rows_per_job` of a bulk request: how many of its rows become one job. Pure."""

from __future__ import annotations

import re
from typing import Any

from api.errors import InvalidParameter
from api.validation import MAX_PICTURES
from model_store.signature import Signature

NAME = "rows_per_job"

#: A body of the usual largest size has hardly more rows.
MOST_ROWS = 1_000_000

_NUMBER = re.compile(r"[0-9]{1,9}")


def take_rows_per_job(named_values: list[tuple[str, Any]]) -> tuple[int | None, list[tuple[str, Any]]]:
    """The number that is asked for, None without one, and the other named values.

    Raises:
        InvalidParameter: no number that can be meant, or two.
    """
    asked = {text for name, text in named_values if name == NAME}
    others = [(name, text) for name, text in named_values if name != NAME]
    if not asked:
        return None, others
    if len(asked) > 1:
        raise InvalidParameter(f"parameters.{NAME}", "one value", "different values in one request")
    text = asked.pop()
    number = int(text) if _NUMBER.fullmatch(text) else 0
    if not 1 <= number <= MOST_ROWS:
        raise InvalidParameter(f"parameters.{NAME}", f"a whole number from 1 to {MOST_ROWS}", repr(text)[:80])
    return number, others


def rows_of_jobs(asked: int | None, signature: Signature, is_picture: bool) -> int:
    """How many rows each job gets: those asked for, else as many as the model takes at once, or 1.

    Raises:
        InvalidParameter: the model takes another number, or they are more pictures than a job may have.
    """
    fixed = signature.fixed_rows
    if asked is None:
        return fixed or 1
    # A model that takes one row gets each picture of a job by itself.
    if fixed not in (None, asked) and not (is_picture and fixed == 1):
        raise InvalidParameter(f"parameters.{NAME}", f"{fixed}, as many rows as the model takes", str(asked))
    if is_picture and asked > MAX_PICTURES:
        raise InvalidParameter(f"parameters.{NAME}", f"at most {MAX_PICTURES} pictures in one job", str(asked))
    return asked
