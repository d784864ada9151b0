from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tasks.api_keys import parse_api_keys
from tasks.job import new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import make_http, play_worker, publish_models

ANN = {"Authorization": "Bearer key-of-ann"}
BOB = {"X-API-Key": "key-of-bob"}
OPEN = ("/", "/healthz", "/openapi.json", "/readyz")
ROW = {"instances": [[1, 2, 3, 4]]}


@pytest.fixture
def http(job_store: JobStore, registry: ModelRegistry) -> Iterator[FlaskClient]:
    publish_models(registry)
    with make_http(job_store, registry, api_keys=parse_api_keys("ann:key-of-ann,bob:key-of-bob")) as http:
        yield http


def of_ann(http: FlaskClient) -> str:
    answer = http.post("/v1/models/digits/jobs", json=ROW, headers=ANN)
    assert answer.status_code == 202
    return str(answer.json["id"])


@pytest.mark.parametrize("path", OPEN)
def test_some_paths_are_open(http: FlaskClient, path: str) -> None:
    assert http.get(path).status_code == 200


def test_every_other_path_needs_a_key(http: FlaskClient) -> None:
    closed = [rule for rule in http.application.url_map.iter_rules() if rule.rule not in OPEN]
    assert len(closed) >= 10
    for rule in closed:
        url = rule.rule.translate(str.maketrans("<>", "xx"))
        for method in rule.methods or ():
            assert http.open(url, method=method).status_code == 401, (method, url)
    for path in ("/metrics", "/v1", "/nothing", "//v1/models"):
        assert http.get(path).status_code == 401, path


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "ann"}, {"X-API-Key": "key-of-ann,key-of-bob"}]
)
def test_no_key_and_a_wrong_key_are_401_saying_how_to_send_one(http: FlaskClient, headers: dict[str, str]) -> None:
    answer = http.get("/v1/models", headers=headers)
    assert (answer.status_code, answer.json["error"]["type"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Authorization: Bearer KEY" in answer.json["error"]["message"]


@pytest.mark.parametrize("headers", [ANN, BOB])
def test_both_headers_are_understood(http: FlaskClient, headers: dict[str, str]) -> None:
    assert http.get("/v1/models", headers=headers).status_code == 200
    assert http.get("/metrics", headers=headers).status_code == 200


def test_the_owner_is_recorded_and_sees_the_job(http: FlaskClient, job_store: JobStore) -> None:
    job_id = of_ann(http)
    assert job_store.get(job_id).owner == "ann"
    assert http.get(f"/v1/jobs/{job_id}", headers=ANN).status_code == 200


def urls_with_an_id(http: FlaskClient, job_id: str) -> list[tuple[str, str]]:
    """Method and URL of everything that takes a job's id in its path, as the application has it."""
    rules = [rule for rule in http.application.url_map.iter_rules() if rule.arguments - {"model", "version"}]
    assert all(rule.arguments == {"job_id"} for rule in rules), "an id by another name would go untested here"
    return [
        (method, rule.rule.replace("<job_id>", job_id))
        for rule in rules
        for method in sorted((rule.methods or set()) - {"OPTIONS"})
    ]


@pytest.mark.parametrize("ended", [False, True])
def test_with_another_owners_id_every_url_answers_as_with_one_that_never_was(
    http: FlaskClient, job_store: JobStore, ended: bool
) -> None:
    job_id, nobodys = of_ann(http), new_job_id()
    if ended:
        play_worker(job_store, job_id)
    urls = urls_with_an_id(http, job_id)
    assert len(urls) >= 6
    for method, url in urls:
        answer = http.open(url, method=method, headers=BOB)
        assert answer.status_code == 404, (method, url)
        never = http.open(url.replace(job_id, nobodys), method=method, headers=BOB)
        assert answer.text.replace(job_id, "ID") == never.text.replace(nobodys, "ID")
    for results in (False, True):
        queried = http.post("/v1/jobs:query", json={"ids": [job_id], "results": results}, headers=BOB).json["jobs"]
        assert queried == [{"id": job_id, "error": {"type": "job_not_found", "message": f"There is no job {job_id}."}}]
    # Its owner finds it as it was.
    assert http.get(f"/v1/jobs/{job_id}", headers=ANN).json["status"] == ("succeeded" if ended else "queued")
    assert job_store.result(job_id) or not ended


def test_another_owners_job_does_not_exist(http: FlaskClient, job_store: JobStore) -> None:
    job_id = of_ann(http)
    queried = http.post("/v1/jobs:query", json={"ids": [job_id]}, headers=BOB).json["jobs"]
    assert queried[0]["error"]["type"] == "job_not_found"
    assert http.get(f"/v1/jobs/{job_id}?wait=30", headers=BOB).status_code == 404
    assert http.delete(f"/v1/jobs/{job_id}", headers=BOB).status_code == 404
    play_worker(job_store, job_id)
    for method in (http.get, http.delete):
        answer = method(f"/v1/jobs/{job_id}/result", headers=BOB)
        assert (answer.status_code, answer.json["error"]["type"]) == (404, "job_not_found")
    assert http.get(f"/v1/jobs/{job_id}/result", headers=ANN).status_code == 200


def test_without_keys_everything_is_seen(http: FlaskClient, job_store: JobStore, registry: ModelRegistry) -> None:
    job_id = of_ann(http)
    assert make_http(job_store, registry).get(f"/v1/jobs/{job_id}").status_code == 200
