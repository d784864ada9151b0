from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import NPY, error, make_http, npy, png

ROW = [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("query", "parameters", "field"),
    [
        ("priority=1", {}, "parameters.priority"),
        ("", {"model": "x"}, "parameters.model"),
        ("tag=a&tag=b", {}, "parameters.tag"),
        ("tag=a", {"tag": "b"}, "parameters.tag"),
        ("lane=fast", {}, "parameters.lane"),
        ("min_score=0.5", {}, "parameters.min_score"),
        ("max_detections=5", {}, "parameters.max_detections"),
        ("", {"max_detections": 0}, "parameters.max_detections"),
        ("annotate=true", {}, "parameters.annotate"),
        ("", {"annotate": True}, "parameters.annotate"),
        ("", {"expires_in_s": 0}, "parameters.expires_in_s"),
    ],
)
def test_a_wrong_parameter_is_400_and_named(
    http: FlaskClient, query: str, parameters: dict[str, Any], field: str
) -> None:
    answer = http.post(f"/v1/models/digits/jobs?{query}", json={"instances": ROW, "parameters": parameters})
    assert error(answer) == (400, "invalid_parameter", field)
    assert {"expected", "got"} < set(answer.json["error"])


def test_drawing_on_arrays_is_400(http: FlaskClient) -> None:
    data = npy(np.zeros((1, 2, 2, 3)), "uint8")
    answer = http.post("/v1/models/boxes/jobs?annotate=true", data=data, content_type=NPY)
    assert error(answer) == (400, "invalid_parameter", "parameters.annotate")


@pytest.mark.parametrize(
    ("body", "position"),
    [
        (b"", "line 1 column 1"),
        (b'{"instances": [[1, 2, 3, 4],]}', "line 1 column 28"),
        (b'{"instances":\n [[NaN]]}', "line 2 column 4"),
        (b"[" * 100_000, "depth"),
        (b'{"instances": ' + b"[" * 5000 + b"]" * 5000 + b"}", "depth"),
        (b'{"instances": [[' + b"9" * 5000 + b"]]}", "infinity"),
        (b'{"instances": "\xff"}', "column 1"),
        (npy(ROW), "line 1 column 1"),
    ],
)
def test_malformed_json_is_400_with_the_position(http: FlaskClient, body: bytes, position: str) -> None:
    answer = http.post("/v1/models/digits/jobs", data=body, content_type="application/json")
    assert error(answer) == (400, "malformed_json", None)
    assert position in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        (b"[[1, 2, 3, 4]]", "invalid_body", "body"),
        (b"null", "invalid_body", "body"),
        (b"{}", "invalid_body", "body"),
        (b'{"instances": [[1, 2, 3, 4]], "inputs": [[1, 2, 3, 4]]}', "invalid_body", "body"),
        (b'{"instances": [[1, 2, 3, 4]], "signature_name": "x"}', "invalid_body", "body"),
        (b'{"instances": [[1, 2, 3, 4]], "parameters": []}', "invalid_body", "parameters"),
        (b'{"instances": []}', "invalid_input", "instances"),
        (b'{"instances": [[1, 2, 3]]}', "invalid_input", "instances.x"),
        (b'{"inputs": {"y": 1}}', "invalid_input", "inputs"),
        (b'{"inputs": ' + b"[" * 900 + b"]" * 900 + b"}", "invalid_input", "inputs.x"),
        (b'{"inputs": [[1, 2, 3, 100000000000000000000000000000000000000000]]}', "invalid_input", "inputs.x"),
    ],
)
def test_json_that_is_no_input_is_400_naming_where_what_and_what_came(
    http: FlaskClient, body: bytes, kind: str, field: str
) -> None:
    answer = http.post("/v1/models/digits/jobs", data=body, content_type="application/json")
    assert error(answer) == (400, kind, field)
    assert {"expected", "got"} < set(answer.json["error"])


def test_a_damaged_array_is_400_naming_where_what_and_what_came(http: FlaskClient) -> None:
    answer = http.post("/v1/models/digits/jobs", data=npy(ROW)[:-3], content_type=NPY)
    assert error(answer) == (400, "invalid_input", "inputs.x")
    assert answer.json["error"]["expected"] == "16 bytes of data after the header"
    assert answer.json["error"]["got"] == "13 bytes"


def test_a_picture_that_is_none_is_400(http: FlaskClient, job_store: JobStore, registry: ModelRegistry) -> None:
    answer = http.post("/v1/models/boxes/jobs", data=b"no picture", content_type="image/png")
    assert error(answer) == (400, "invalid_picture", "image")
    small = make_http(job_store, registry, max_image_pixels=47)
    answer = small.post("/v1/models/boxes/jobs", data=png(8, 6), content_type="image/png")
    assert error(answer) == (400, "invalid_picture", "image")
    assert "8 x 6 = 48 pixels" in answer.json["error"]["message"]


@pytest.mark.parametrize("names", [(), ("picture",), ("image", "other")])
def test_a_form_has_files_and_they_are_called_image(http: FlaskClient, names: tuple[str, ...]) -> None:
    boundary = "b0undary"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n\r\nx\r\n' for name in names
    ]
    body = "".join(parts) + f"--{boundary}--\r\n"
    answer = http.post("/v1/models/boxes/jobs", data=body, content_type=f"multipart/form-data; boundary={boundary}")
    assert error(answer) == (400, "invalid_input", "image")
    assert answer.json["error"]["got"] == (", ".join(names) or "no file")


def test_a_form_field_without_a_name_is_an_unknown_parameter(http: FlaskClient) -> None:
    file = b'--x\r\nContent-Disposition: form-data; name="image"; filename="f"\r\n\r\n' + png() + b"\r\n"
    body = file + b"--x\r\nContent-Disposition: form-data\r\n\r\nbulk\r\n--x--\r\n"
    answer = http.post("/v1/models/boxes/jobs", data=body, content_type="multipart/form-data; boundary=x")
    assert error(answer) == (400, "invalid_parameter", "parameters.")


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_broken_form_is_400(http: FlaskClient, content_type: str) -> None:
    answer = http.post("/v1/models/boxes/jobs", data=b"--x\r\nContent-Disp", content_type=content_type)
    assert error(answer) == (400, "invalid_input", "image")


@pytest.mark.parametrize("content_type", ["image/png", "multipart/form-data; boundary=x"])
def test_a_picture_for_a_model_that_takes_none_is_415_with_what_to_do(http: FlaskClient, content_type: str) -> None:
    answer = http.post("/v1/models/digits/jobs", data=png(), content_type=content_type)
    assert error(answer) == (415, "unsupported_media_type", None)
    assert "[image]" in answer.json["error"]["message"]


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_415_with_those_that_are_taken(http: FlaskClient, content_type: str | None) -> None:
    answer = http.post("/v1/models/boxes/jobs", data=b"x", content_type=content_type)
    assert error(answer) == (415, "unsupported_media_type", None)
    taken = "application/json, application/x-npy, application/x-npz, image/*, multipart/form-data"
    assert taken in answer.json["error"]["message"]


def test_a_compressed_body_is_415(http: FlaskClient) -> None:
    answer = http.post("/v1/models/digits/jobs", data=b"x", content_type=NPY, headers={"Content-Encoding": "gzip"})
    assert error(answer) == (415, "unsupported_media_type", None)
    assert "gzip" in answer.json["error"]["message"]


def test_an_unknown_model_is_404_naming_the_known_ones(http: FlaskClient) -> None:
    answer = http.post("/v1/models/digitz/jobs", json={"instances": ROW})
    assert error(answer) == (404, "model_not_found", None)
    assert "boxes, digits, pairs" in answer.json["error"]["message"]


def test_a_model_that_was_never_ready_is_503_and_says_why(http: FlaskClient, registry: ModelRegistry) -> None:
    registry.expect(["digits", "pairs", "boxes", "slow", "broken"])
    registry.publish_failure("broken", "The file is truncated.")
    loading = http.post("/v1/models/slow/jobs", json={"instances": ROW})
    failed = http.post("/v1/models/broken/jobs", json={"instances": ROW})
    for answer in (loading, failed):
        assert error(answer) == (503, "model_not_ready", None)
        assert int(answer.headers["Retry-After"]) > 0
    assert "still being loaded" in loading.json["error"]["message"]
    assert "The file is truncated." in failed.json["error"]["message"]
