"""Ids of many jobs in one request."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from api.errors import InvalidBody
from api.job_lookup import check_id
from api.request_body import json_kind
from tasks.errors import JobNotFound

MAX_IDS = 1000


def check_ids(ids: Any) -> Sequence[str]:
    """The ids of a JSON document, in their order; any text may be one.

    Raises:
        InvalidBody: no list of texts, or too many.
    """
    expected = f"a list of at most {MAX_IDS} job ids"
    if not isinstance(ids, list):
        raise InvalidBody("ids", expected, f"a JSON {json_kind(ids)}")
    if len(ids) > MAX_IDS:
        raise InvalidBody("ids", expected, f"{len(ids)} of them")
    for index, job_id in enumerate(ids):
        if not isinstance(job_id, str):
            raise InvalidBody(f"ids[{index}]", "a job id", f"a JSON {json_kind(job_id)}")
    return ids


def possible_ids(ids: Sequence[str]) -> list[str]:
    """Those that are written as ids are; the others must not become part of a key in Redis."""
    possible = []
    for job_id in ids:
        with contextlib.suppress(JobNotFound):
            check_id(job_id)
            possible.append(job_id)
    return possible
