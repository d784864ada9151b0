"""Many rows in one request to the API, and what is answered of each."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import orjson
import redis
from flask.testing import FlaskClient

from tasks import keys

JSONL = "application/jsonl"
FORM = "multipart/form-data"
ROW = [1, 2, 3, 4]


def post_bulk(
    http: FlaskClient, data: Any, content_type: str, query: str = "", model: str = "digits", key: str = ""
) -> Any:
    """Send many rows in one request."""
    headers = {"Idempotency-Key": key} if key else {}
    path = f"/v1/models/{model}/jobs:bulk"
    return http.post(path, data=data, content_type=content_type, query_string=query, headers=headers)


def lines(*documents: Any) -> bytes:
    """Documents, or what is to stand for one, as JSON Lines."""
    return b"\n".join(one if isinstance(one, bytes) else orjson.dumps(one) for one in documents)


def form(*pictures: bytes, **values: str) -> dict[str, Any]:
    """Pictures and parameters, for the test client."""
    return {"image": [(io.BytesIO(picture), "p.png") for picture in pictures], **values}


def stored(client: redis.Redis, job_id: str) -> Any:
    """A job's input."""
    return np.load(io.BytesIO(client.get(keys.job_input(job_id))), allow_pickle=False)


def places(answer: Any) -> list[tuple[int, int, str]]:
    """Index, rows and status, or the error's type, of each item."""
    assert answer.status_code == 202, answer.text
    items = answer.json["jobs"]
    taken = sum("id" in item for item in items)
    assert (answer.json["accepted"], answer.json["refused"]) == (taken, len(items) - taken)
    return [(item["index"], item["rows"], item.get("status") or item["error"]["type"]) for item in items]


def unfinished(client: redis.Redis, model: str = "digits") -> int:
    """How many of a model's jobs have not ended."""
    return client.zcard(keys.unfinished(model))
