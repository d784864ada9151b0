from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import make_http, play_worker, publish_models

ANN = {"Authorization": "Bearer key-of-ann"}
BOB = {"X-API-Key": "key-of-bob"}
ROW = {"instances": [[1, 2, 3, 4]]}


@pytest.fixture
def http(job_store: JobStore, registry: ModelRegistry) -> Iterator[FlaskClient]:
    publish_models(registry)
    with make_http(job_store, registry, api_keys={"ann": "key-of-ann", "bob": "key-of-bob"}) as http:
        yield http


def of_ann(http: FlaskClient) -> str:
    answer = http.post("/v1/models/digits/jobs", json=ROW, headers=ANN)
    assert answer.status_code == 202
    return str(answer.json["id"])


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/openapi.json"])
def test_some_paths_are_open(http: FlaskClient, path: str) -> None:
    assert http.get(path).status_code == 200


def test_every_other_path_needs_a_key(http: FlaskClient) -> None:
    closed = [rule for rule in http.application.url_map.iter_rules() if rule.rule.startswith("/v1")]
    assert len(closed) >= 9
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
