"""GET /v1/jobs: one's own jobs, a page in each request."""

from __future__ import annotations

import re

from flask import Blueprint, Response, request

from api.auth import owner
from api.errors import InvalidParameter
from api.json_response import json_response
from api.page_query import read_limit, read_query
from api.parameters import MAX_TAG_CHARACTERS
from api.services import services
from tasks.job import Status
from tasks.listings import Wanted
from tasks.record_json import record_json

#: Longer than any model's name.
MAX_MODEL_CHARACTERS = 100

_NAMES = ("model", "status", "tag", "after", "limit")
_CURSOR = re.compile(r"([0-9]{1,20})-([0-9]{1,20})")

routes = Blueprint("list_jobs", __name__)


@routes.get("/v1/jobs")
def list_jobs() -> Response:
    """Records, the newest first, and from where the next page goes on."""
    given = read_query(request.args.items(multi=True), _NAMES)
    wanted = Wanted(
        model=_text("model", given, MAX_MODEL_CHARACTERS),
        status=_status(given),
        tag=_text("tag", given, MAX_TAG_CHARACTERS),
    )
    page = services().store.listings.page(owner(), wanted, _after(given), read_limit(given))
    found = services().store.find_many(page.job_ids)
    return json_response({"jobs": [record_json(job) for job in found if job], "after": page.after})


def _text(name: str, given: dict[str, str], most: int) -> str:
    text = given.get(name, "")
    if len(text) > most:
        raise InvalidParameter(name, f"at most {most} characters", f"{len(text)}")
    return text


def _status(given: dict[str, str]) -> str:
    status = given.get("status", "")
    if status and status not in list(Status):
        raise InvalidParameter("status", f"one of {', '.join(Status)}", repr(status)[:80])
    return status


def _after(given: dict[str, str]) -> str | None:
    after = given.get("after")
    if after and not _is_cursor(after):
        raise InvalidParameter("after", "what the page before has as after", repr(after)[:80])
    return after


def _is_cursor(text: str) -> bool:
    """Whether it is an entry of a stream in Redis: two numbers of 64 bits, not both 0."""
    found = _CURSOR.fullmatch(text)
    numbers = [int(number) for number in found.groups()] if found else []
    return any(numbers) and max(numbers) < 2**64
