"""GET /v1/jobs: one's own jobs, a page in each request."""

from __future__ import annotations

import re

from flask import Blueprint, Response, request

from api.auth import owner
from api.errors import InvalidParameter
from api.json_response import json_response
from api.page_query import read_after, read_limit, read_query, read_status
from api.parameters import MAX_TAG_CHARACTERS
from api.services import services
from tasks.job import Status
from tasks.listings import Wanted
from tasks.record_json import record_json

#: Longer than any model's name.
MAX_MODEL_CHARACTERS = 100

_NAMES = ("model", "status", "tag", "after", "limit")
#: An entry of a stream in Redis: two numbers, not both 0, of no more digits than 64 bits always hold.
_CURSOR = re.compile(r"(?!0+-0+\Z)[0-9]{1,19}-[0-9]{1,19}")

routes = Blueprint("list_jobs", __name__)


@routes.get("/v1/jobs")
def list_jobs() -> Response:
    """Records, the newest first, and from where the next page goes on."""
    given = read_query(request.args.items(multi=True), _NAMES)
    wanted = Wanted(
        model=_text("model", given, MAX_MODEL_CHARACTERS),
        status=read_status(given, list(Status)),
        tag=_text("tag", given, MAX_TAG_CHARACTERS),
    )
    after = read_after(given, _CURSOR)
    page = services().store.listings.page(owner(), wanted, after and after[0], read_limit(given))
    found = services().store.find_many(page.job_ids)
    return json_response({"jobs": [record_json(job) for job in found if job], "after": page.after})


def _text(name: str, given: dict[str, str], most: int) -> str:
    text = given.get(name, "")
    if len(text) > most:
        raise InvalidParameter(name, f"at most {most} characters", f"{len(text)}")
    return text
