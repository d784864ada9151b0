from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import request
from flask.testing import FlaskClient

from api import errors
from tasks.job import FailureType
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import NPY, error_type, make_http, npy, png, publish_models

MANUAL = Path(__file__).parents[2] / "docs" / "http.md"

LIMIT = 2000
ROW = npy([[1, 2, 3, 4]])


@pytest.fixture
def http(job_store: JobStore, registry: ModelRegistry) -> Iterator[FlaskClient]:
    publish_models(registry)
    with make_http(job_store, registry, max_body_bytes=LIMIT) as http:
        yield http


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1//models", "/v1/models/", "/v1/jobs/", "/v1/models/digits/versions/1", "/{x}"]
)
def test_an_unknown_url_is_404(http: FlaskClient, path: str) -> None:
    assert error_type(http.get(path), 404) == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v1/models", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/v1/models/digits/jobs", {"POST", "OPTIONS"}),
        ("PUT", "/v1/jobs/1", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("GET", "/v1/jobs:query", {"POST", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_405_with_those_that_are_right(
    http: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = http.open(path, method=method)
    assert error_type(answer, 405) == "method_not_allowed"
    assert {name.strip() for name in answer.headers["Allow"].split(",")} == allowed


@pytest.mark.parametrize("content_type", [NPY, "application/json", "image/png", "multipart/form-data; boundary=x"])
def test_a_body_over_the_limit_is_413_naming_it(http: FlaskClient, content_type: str) -> None:
    answer = http.post("/v1/models/boxes/jobs", data=b"x" * (LIMIT + 1), content_type=content_type)
    assert error_type(answer, 413) == "body_too_large"
    assert f"{LIMIT} bytes" in answer.json["error"]["message"]


def chunked(http: FlaskClient, data: bytes, content_type: str = NPY, model: str = "digits") -> Any:
    """A body without announced length, as a server hands it out."""
    return http.post(
        f"/v1/models/{model}/jobs",
        input_stream=io.BytesIO(data),
        content_type=content_type,
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, LIMIT * 50])
def test_a_chunked_body_over_the_limit_is_413_and_never_cut(http: FlaskClient, size: int) -> None:
    assert chunked(http, ROW).status_code == 202
    assert error_type(chunked(http, ROW + b"x" * (size - len(ROW))), 413) == "body_too_large"
    form = b'--x\r\nContent-Disposition: form-data; name="image"; filename="f"\r\n\r\n' + b"x" * size + b"\r\n--x--\r\n"
    answer = chunked(http, form, "multipart/form-data; boundary=x", "boxes")
    assert error_type(answer, 413) == "body_too_large"


def test_a_form_with_too_many_or_too_long_fields_is_413(job_store: JobStore, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(job_store, registry)
    many = {"image": (io.BytesIO(png()), "f"), **{f"f{number}": "1" for number in range(80)}}
    assert error_type(http.post("/v1/models/boxes/jobs", data=many), 413) == "body_too_large"
    long = {"image": (io.BytesIO(png()), "f"), "tag": "x" * 140_000}
    assert error_type(http.post("/v1/models/boxes/jobs", data=long), 413) == "body_too_large"


def test_a_body_that_ends_too_early_is_400(http: FlaskClient) -> None:
    announced = {"wsgi.input_terminated": True, "CONTENT_LENGTH": str(len(ROW) + 5)}
    answer = http.post("/v1/models/digits/jobs", data=ROW, content_type=NPY, environ_overrides=announced)
    assert error_type(answer, 400) == "invalid_body"
    assert answer.json["error"]["expected"] == f"{len(ROW) + 5} bytes, as Content-Length says"
    assert answer.json["error"]["got"] == f"{len(ROW)} bytes"


def test_a_defect_of_ours_is_500_and_neither_client_nor_log_hears_details(
    http: FlaskClient, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(name: str) -> None:
        raise RuntimeError(f"{name} {request.args['tag']}")

    monkeypatch.setattr(registry, "get", broken)
    with caplog.at_level(logging.INFO):
        answer = http.post("/v1/models/digits/jobs?tag=hush-hush", data=ROW, content_type=NPY)
    assert error_type(answer, 500) == "internal_error"
    assert answer.json == {"error": {"type": "internal_error", "message": "internal error"}}
    assert "Unexpected RuntimeError in submit_job.submit_job" in caplog.text
    assert "in broken" in caplog.text
    assert "hush-hush" not in caplog.text


def test_every_type_of_error_is_in_the_manual() -> None:
    manual = MANUAL.read_text()
    classes = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.ApiError)
    ]
    types = {one.type for one in classes} | {kind for _, kind in errors.FROM_OTHER_PACKAGES.values()}
    types |= {"not_found", "method_not_allowed", "body_too_large", "internal_error"}
    types |= set(FailureType)
    documented = set(re.findall(r"^\| `(\w+)` \|", manual, re.MULTILINE))
    assert types <= documented
