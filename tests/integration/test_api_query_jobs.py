from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tests.http_api import OLD_ID, error_type, play_worker, submit


def test_many_records_come_in_the_order_asked_for(http: FlaskClient, job_store: JobStore) -> None:
    first, second = submit(http), submit(http)
    play_worker(job_store, first)
    ids = [second, new_job_id(), first, OLD_ID, "nonsense", second]
    answer = http.post("/v1/jobs:query", json={"ids": ids})
    assert answer.status_code == 200
    jobs = answer.json["jobs"]
    assert [job["id"] for job in jobs] == ids
    assert [job.get("status") for job in jobs] == ["queued", None, "succeeded", None, None, "queued"]
    assert [job["error"]["type"] for job in jobs if "error" in job] == ["job_not_found", "job_gone", "job_not_found"]
    assert not any("result" in job for job in jobs)
    with_results = http.post("/v1/jobs:query", json={"ids": [first, second], "results": True}).json["jobs"]
    assert [job["result"] for job in with_results] == [{"outputs": {"y": [[0.5]]}}, None]
    assert http.post("/v1/jobs:query", json={"ids": []}).json == {"jobs": []}


@pytest.mark.parametrize(
    ("document", "field_"),
    [
        ({}, "ids"),
        ({"ids": "abc"}, "ids"),
        ({"ids": ["1"] * 1001}, "ids"),
        ({"ids": [new_job_id(), 5]}, "ids[1]"),
        ({"ids": [], "results": "yes"}, "results"),
        ({"ids": [], "tag": "x"}, "body"),
    ],
)
def test_a_wrong_query_is_400_naming_where_what_and_what_came(
    http: FlaskClient, document: dict[str, Any], field_: str
) -> None:
    answer = http.post("/v1/jobs:query", json=document)
    assert error_type(answer, 400) == "invalid_body"
    assert answer.json["error"]["field"] == field_
    assert {"expected", "got"} < set(answer.json["error"])


def test_a_query_that_is_not_sent_as_json_is_415(http: FlaskClient) -> None:
    answer = http.post("/v1/jobs:query", data=b'{"ids": []}', content_type="text/plain")
    assert error_type(answer, 415) == "unsupported_media_type"
    assert "application/json" in answer.json["error"]["message"]


def test_a_thousand_records_are_asked_for_at_once(http: FlaskClient, job_store: JobStore) -> None:
    ids = [new_job_id() for _ in range(1000)]
    for job_id in ids:
        job_store.submit(Job(id=job_id, model="digits", version=1), b"")
    jobs = http.post("/v1/jobs:query", json={"ids": ids}).json["jobs"]
    assert [job["id"] for job in jobs] == ids
    assert {job["status"] for job in jobs} == {"queued"}
