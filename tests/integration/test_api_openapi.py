from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tasks.api_keys import parse_api_keys
from tasks.caps import Caps
from tasks.job import Failure, FailureType, Status, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry, ModelStatus
from tests.http_api import make_http, play_worker, publish_models, submit
from tests.stand_in_worker import StandInWorker

ROOT = Path(__file__).parents[2]
SPECIFICATION = json.loads((ROOT / "api" / "openapi.json").read_text())


def check(answer: Any, path: str, method: str = "get") -> None:
    """The answer's JSON is what the specification says of this path, method and status."""
    response = SPECIFICATION["paths"][path][method]["responses"][str(answer.status_code)]
    if "$ref" in response:
        response = SPECIFICATION["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"]["application/json"]["schema"] | {"components": SPECIFICATION["components"]}
    Draft202012Validator(schema).validate(answer.json)
    for name, header in response.get("headers", {}).items():
        always = header.get("required", name in ("Location", "Retry-After"))
        if always and answer.status_code in (202, 429, 503):
            assert name in answer.headers


def test_the_specification_is_valid_and_served_as_it_is(http: FlaskClient) -> None:
    OpenAPIV31SpecValidator(SPECIFICATION).validate()
    assert http.get("/openapi.json").json == SPECIFICATION


def test_it_has_the_version_of_the_package() -> None:
    package = configparser.ConfigParser()
    package.read(ROOT / "setup.cfg")
    assert SPECIFICATION["info"]["version"] == package["metadata"]["version"]


def test_it_has_every_route_and_no_other(http: FlaskClient) -> None:
    routes = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in http.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == {(path, method) for path, methods in SPECIFICATION["paths"].items() for method in methods}


def test_it_names_the_statuses_that_there_are() -> None:
    schemas = SPECIFICATION["components"]["schemas"]
    assert schemas["Status"]["enum"] == list(Status)
    assert schemas["Model"]["properties"]["status"]["enum"] == list(ModelStatus)


def test_jobs_are_answered_as_specified(http: FlaskClient, job_store: JobStore) -> None:
    row = {"instances": [[1, 2, 3, 4]]}
    check(http.post("/v1/models/digits/jobs", json=row), "/v1/models/{model}/jobs", "post")
    check(
        http.post("/v1/models/digits/versions/1/jobs", json=row), "/v1/models/{model}/versions/{version}/jobs", "post"
    )
    queued, failed, done = submit(http), submit(http), submit(http)
    worker = StandInWorker(job_store)
    worker.fail(worker.start(failed), Failure(FailureType.MODEL_ERROR, "It broke."))
    play_worker(job_store, done, {"y": np.zeros((1, 2))}, {"labels": [["a"]]})
    for job_id in (queued, failed, done, new_job_id()):
        check(http.get(f"/v1/jobs/{job_id}"), "/v1/jobs/{job_id}")
        check(http.get(f"/v1/jobs/{job_id}/result"), "/v1/jobs/{job_id}/result")
    query = {"ids": [queued, failed, done, "none"]}
    for body in (query, query | {"results": True}):
        check(http.post("/v1/jobs:query", json=body), "/v1/jobs:query", "post")
    for parameters in ("limit=2", "status=failed", "limit=0"):
        check(http.get(f"/v1/jobs?{parameters}"), "/v1/jobs")
    check(http.post("/v1/jobs:results", json={"ids": query["ids"]}), "/v1/jobs:results", "post")
    check(http.post("/v1/jobs:results", json={"ids": 5}), "/v1/jobs:results", "post")
    check(http.post("/v1/jobs:free", json={"ids": query["ids"]}), "/v1/jobs:free", "post")
    check(http.delete(f"/v1/jobs/{queued}/result"), "/v1/jobs/{job_id}/result", "delete")
    for _ in range(2):
        check(http.delete(f"/v1/jobs/{queued}"), "/v1/jobs/{job_id}", "delete")


def test_many_jobs_in_one_request_are_answered_as_specified(client: redis.Redis, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(JobStore(client, 3600, Caps(queued_jobs=2)), registry)
    lines = b'{"id": "a", "instance": [1, 2, 3, 4]}\n{"id": "b"}\n{"instance": [1, 2, 3, 4]}\n'
    for body, status in ((lines, 202), (lines, 429), (b"", 400)):
        path = "/v1/models/{model}/jobs:bulk"
        answer = http.post("/v1/models/digits/jobs:bulk", data=body, content_type="application/jsonl")
        assert answer.status_code == status
        check(answer, path, "post")
        path = "/v1/models/{model}/versions/{version}/jobs:bulk"
        check(http.post("/v1/models/digits/versions/9/jobs:bulk", data=body), path, "post")


@pytest.mark.parametrize(
    ("model", "request_", "status"),
    [
        ("digits", {"data": b"{"}, 415),
        ("digits", {"data": b"{", "content_type": "application/json"}, 400),
        ("digits", {"json": {"instances": [[1]]}}, 400),
        ("digits", {"json": {"instances": [[1, 2, 3, 4]]}, "query_string": "a=b"}, 400),
        ("none", {"json": {"instances": [[1]]}}, 404),
        ("slow", {"json": {"instances": [[1]]}}, 503),
        ("digits", {"data": b"x" * 2000, "content_type": "application/json"}, 413),
    ],
)
def test_refusals_are_answered_as_specified(
    job_store: JobStore, registry: ModelRegistry, model: str, request_: dict[str, Any], status: int
) -> None:
    publish_models(registry)
    registry.expect(["slow"])
    http = make_http(job_store, registry, max_body_bytes=1024)
    answer = http.post(f"/v1/models/{model}/jobs", **request_)
    assert answer.status_code == status
    check(answer, "/v1/models/{model}/jobs", "post")


def test_a_key_that_is_wrong_or_reused_is_answered_as_specified(http: FlaskClient) -> None:
    path = "/v1/models/{model}/jobs"
    for key, tag, status in (("k k", "a", 400), ("k", "a", 202), ("k", "a", 202), ("k", "b", 422)):
        row = {"instances": [[1, 2, 3, 4]], "parameters": {"tag": tag}}
        answer = http.post("/v1/models/digits/jobs", json=row, headers={"Idempotency-Key": key})
        assert answer.status_code == status
        check(answer, path, "post")


def test_a_full_queue_is_answered_as_specified(client: redis.Redis, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(JobStore(client, 3600, Caps(queued_jobs=1)), registry)
    submit(http)
    answer = http.post("/v1/models/digits/jobs", json={"instances": [[1, 2, 3, 4]]})
    assert answer.status_code == 429
    check(answer, "/v1/models/{model}/jobs", "post")


def test_models_and_health_are_answered_as_specified(http: FlaskClient, registry: ModelRegistry) -> None:
    check(http.get("/readyz"), "/readyz")
    registry.expect(["slow", "digits"])
    check(http.get("/readyz"), "/readyz")
    check(http.get("/v1/models"), "/v1/models")
    check(http.get("/v1/models/slow"), "/v1/models/{model}")
    check(http.get("/v1/models/none"), "/v1/models/{model}")
    for model in ("digits", "none"):
        for verb in ("pause", "resume"):
            check(http.post(f"/v1/models/{model}:{verb}"), f"/v1/models/{{model}}:{verb}", "post")
    check(http.get("/healthz"), "/healthz")
    check(http.get("/"), "/")


def test_a_missing_key_is_answered_as_specified(job_store: JobStore, registry: ModelRegistry) -> None:
    answer = make_http(job_store, registry, api_keys=parse_api_keys("ann:k")).get("/v1/models")
    assert answer.status_code == 401
    check(answer, "/v1/models")
