"""GET /v1/jobs: one's own jobs, a page in each request."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flask import Blueprint, Response, request

from api.auth import owner
from api.errors import InvalidParameter
from api.json_response import json_response
from api.parameters import MAX_TAG_CHARACTERS
from api.record import record_json
from api.services import services
from tasks.job import Status
from tasks.listings import Wanted

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
#: Longer than any model's name.
MAX_MODEL_CHARACTERS = 100

_NAMES = ("model", "status", "tag", "after", "limit")
_CURSOR = re.compile(r"([0-9]{1,20})-([0-9]{1,20})")

routes = Blueprint("list_jobs", __name__)


@routes.get("/v1/jobs")
def list_jobs() -> Response:
    """Records, the newest first, and from where the next page goes on."""
    given = _read(request.args.items(multi=True))
    wanted = Wanted(
        model=_text("model", given, MAX_MODEL_CHARACTERS),
        status=_status(given),
        tag=_text("tag", given, MAX_TAG_CHARACTERS),
    )
    page = services().store.listings.page(owner(), wanted, _after(given), _limit(given))
    found = services().store.find_many(page.job_ids)
    return json_response({"jobs": [record_json(job) for job in found if job], "after": page.after})


def _read(arguments: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters that have a value."""
    values: dict[str, str] = {}
    for name, text in arguments:
        if name not in _NAMES:
            raise InvalidParameter(name[:40], f"one of the parameters {', '.join(_NAMES)}", "an unknown name")
        if values.setdefault(name, text) != text:
            raise InvalidParameter(name, "one value", "different values in one request")
    return {name: text for name, text in values.items() if text}


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


def _limit(given: dict[str, str]) -> int:
    text = given.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise InvalidParameter("limit", f"a whole number from 1 to {MAX_LIMIT}", repr(text)[:80])
    return int(text)
