"""Many jobs in one request: what becomes of each, whatever the others are."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import orjson
import pytest
import redis
from flask.testing import FlaskClient

from tasks import keys
from tasks.job import Status
from tasks.job_store import JobStore
from tests.http_api import NPY, NPZ, npy, npz, png

JSONL = "application/jsonl"


def post(http: FlaskClient, data: Any, content_type: str, query: str = "", model: str = "digits", **headers: str) -> Any:
    path = f"/v1/models/{model}/jobs:bulk"
    return http.post(path, data=data, content_type=content_type, query_string=query, headers=headers)


def form(*pictures: bytes, **values: str) -> dict[str, Any]:
    return {"image": [(io.BytesIO(picture), "p.png") for picture in pictures], **values}


def arrays_of(client: redis.Redis, job_id: str) -> Any:
    return np.load(io.BytesIO(client.get(keys.job_input(job_id))), allow_pickle=False)


def test_each_row_of_an_array_is_a_job_and_has_its_place_in_the_request(
    http: FlaskClient, job_store: JobStore, client: redis.Redis
) -> None:
    rows = np.arange(20, dtype="float32").reshape(5, 4)
    answer = post(http, npy(rows), NPY, "lane=bulk&tag=night")
    assert answer.status_code == 202
    assert (answer.json["accepted"], answer.json["refused"]) == (5, 0)
    jobs = answer.json["jobs"]
    assert [(job["index"], job["rows"], job["status"]) for job in jobs] == [(i, 1, "queued") for i in range(5)]
    for row, told in zip(rows, jobs, strict=True):
        job = job_store.get(told["id"])
        assert (job.rows, job.lane, job.tag, job.status) == (1, "bulk", "night", Status.QUEUED)
        assert np.array_equal(arrays_of(client, told["id"]), [row])


@pytest.mark.parametrize("content_type", [NPY, NPZ, JSONL])
def test_rows_per_job_cuts_the_rows_and_the_last_job_has_the_rest(
    http: FlaskClient, client: redis.Redis, content_type: str
) -> None:
    rows = np.arange(28, dtype="float32").reshape(7, 4)
    lines = b"\n".join(orjson.dumps({"inputs": {"x": row.tolist()}}) for row in rows)
    body = {NPY: npy(rows), NPZ: npz(x=rows), JSONL: lines}[content_type]
    jobs = post(http, body, content_type, "rows_per_job=3").json["jobs"]
    assert [(job["index"], job["rows"]) for job in jobs] == [(0, 3), (3, 3), (6, 1)]
    stored = [arrays_of(client, job["id"]) for job in jobs]
    assert np.array_equal(np.concatenate(stored), rows)
