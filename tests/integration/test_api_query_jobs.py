from __future__ import annotations

import threading
import time
from itertools import takewhile
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from tasks.api_keys import parse_api_keys
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import OLD_ID, error_type, make_http, play_worker, publish_models, submit


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
        ({"ids": [], "wait": "5"}, "wait"),
        ({"ids": [], "wait": True}, "wait"),
        ({"ids": [], "wait": 61}, "wait"),
        ({"ids": [], "wait": -1}, "wait"),
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


def seconds_of(http: FlaskClient, ids: list[str], wait_s: float = 30) -> tuple[float, list[str]]:
    """How long a query that waits takes, and the statuses that it brings."""
    began_s = time.monotonic()
    answer = http.post("/v1/jobs:query", json={"ids": ids, "wait": wait_s})
    return time.monotonic() - began_s, [job.get("status", "error") for job in answer.json["jobs"]]


def test_a_query_that_waits_comes_back_when_one_of_the_jobs_ends(http: FlaskClient, job_store: JobStore) -> None:
    next_, other = submit(http), submit(http)
    worker = threading.Timer(0.3, play_worker, (job_store, next_))
    worker.start()
    took_s, statuses = seconds_of(http, [next_, other])
    worker.join()
    assert 0.2 < took_s < 10
    assert statuses == ["succeeded", "queued"]


def test_a_query_waits_for_nobody_when_one_has_ended_already_or_cannot_be_had(
    http: FlaskClient, job_store: JobStore
) -> None:
    waits, ended = submit(http), submit(http)
    play_worker(job_store, ended)
    for ids in ([], [ended, ended], [waits, ended], [OLD_ID, waits], [waits, "nonsense"], [waits, new_job_id()]):
        assert seconds_of(http, ids)[0] < 5


def test_a_query_comes_back_after_its_time_with_the_records_as_they_are(http: FlaskClient) -> None:
    took_s, statuses = seconds_of(http, [submit(http)], wait_s=0.3)
    assert 0.3 <= took_s < 5
    assert statuses == ["queued"]


def test_a_query_beyond_the_places_to_wait_in_is_answered_at_once(job_store: JobStore, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(job_store, registry, max_waiters=0)
    assert seconds_of(http, [submit(http)])[0] < 5


def test_a_query_does_not_wait_for_jobs_of_another_owner(job_store: JobStore, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(job_store, registry, api_keys=parse_api_keys("ann:a,bob:b"))
    http.environ_base["HTTP_X_API_KEY"] = "a"
    of_ann = submit(http)
    http.environ_base["HTTP_X_API_KEY"] = "b"
    took_s, statuses = seconds_of(http, [of_ann])
    assert took_s < 5
    assert statuses == ["error"]


def test_results_that_nobody_asked_for_are_not_read_for_a_query_that_waits(
    http: FlaskClient, job_store: JobStore, client: redis.Redis
) -> None:
    ids = [submit(http) for _ in range(3)]
    worker = threading.Timer(0.3, lambda: [play_worker(job_store, job_id) for job_id in ids])
    with client.monitor() as heard:
        worker.start()
        seconds_of(http, ids)
        worker.join()
        client.echo("done")
        commands = list(takewhile(lambda command: "ECHO" not in command, (told["command"] for told in heard.listen())))
    assert any("HGETALL celeriac:job:" in command for command in commands)
    assert not any(command.startswith("HGETALL") and command.endswith(":result") for command in commands)
