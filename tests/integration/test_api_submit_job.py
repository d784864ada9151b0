from __future__ import annotations

import io
import threading
import uuid
from typing import Any

import numpy as np
import pytest
import redis
from flask.testing import FlaskClient

from tasks import keys
from tasks.job import Lane, Status
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import NPY, NPZ, make_http, npy, npz, play_worker, png, submit, until

ROW = [[1, 2, 3, 4]]


def stored_input(client: redis.Redis, job_id: str) -> bytes:
    return client.get(keys.job_input(job_id))


def error(answer: Any) -> tuple[int, str, str | None]:
    body = answer.json["error"]
    assert body["message"]
    return answer.status_code, body["type"], body.get("field")


def test_202_brings_the_record_that_get_brings_and_where_to_poll(http: FlaskClient, job_store: JobStore) -> None:
    answer = http.post("/v1/models/digits/jobs?tag=first", json={"instances": ROW})
    assert answer.status_code == 202
    job_id = answer.json["id"]
    assert uuid.UUID(job_id).version == 7
    assert answer.headers["Location"] == f"/v1/jobs/{job_id}"
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Content-Type"] == "application/json"
    assert "Preference-Applied" not in answer.headers
    in_queue = {"queue_position": 0, "estimated_start_s": None}
    assert answer.json == http.get(answer.headers["Location"]).json | in_queue
    assert (answer.json["status"], answer.json["tag"], answer.json["result"]) == ("queued", "first", None)
    assert answer.json["created_at"].endswith("Z")
    assert job_store.get(job_id).owner == ""


@pytest.mark.parametrize(
    ("model", "request_", "content_type", "payload", "rows"),
    [
        ("digits", {"json": {"instances": ROW * 2}}, NPY, npy(ROW * 2), 2),
        ("digits", {"data": npy(ROW), "content_type": NPY}, NPY, npy(ROW), 1),
        ("digits", {"data": npy(ROW), "content_type": "Application/X-NPY; a=b"}, NPY, npy(ROW), 1),
        (
            "pairs",
            {"data": npz(a=np.zeros((3, 2), "f4"), b=np.zeros(3, "i4")), "content_type": NPZ},
            NPZ,
            npz(a=np.zeros((3, 2), "f4"), b=np.zeros(3, "i4")),
            3,
        ),
        ("boxes", {"data": png(), "content_type": "image/jpeg"}, "image/png", png(), 1),
        ("boxes", {"data": png(), "content_type": "image/*"}, "image/png", png(), 1),
        ("boxes", {"data": {"image": (io.BytesIO(png()), "p.jpg")}}, "image/png", png(), 1),
        (
            "boxes",
            {"data": npy(np.zeros((1, 2, 2, 3)), "uint8"), "content_type": NPY},
            NPY,
            npy(np.zeros((1, 2, 2, 3)), "uint8"),
            1,
        ),
    ],
    ids=["json", "npy", "npy-spelled-otherwise", "npz", "picture", "any-picture", "form", "npy-of-a-picture"],
)
def test_every_content_type_is_stored_as_what_the_worker_reads(
    http: FlaskClient,
    job_store: JobStore,
    client: redis.Redis,
    model: str,
    request_: dict[str, Any],
    content_type: str,
    payload: bytes,
    rows: int,
) -> None:
    job_id = submit(http, model, **request_)
    job = job_store.get(job_id)
    assert (job.model, job.content_type, job.rows) == (model, content_type, rows)
    assert stored_input(client, job_id) == payload


def test_parameters_come_in_the_query_the_form_and_json(http: FlaskClient, job_store: JobStore) -> None:
    query = "lane=bulk&min_score=0.25&max_detections=9&annotate=1"
    in_query = submit(http, "boxes", query_string=query, data=png(), content_type="image/png")
    job = job_store.get(in_query)
    assert (job.lane, job.min_score, job.max_detections, job.annotate) == (Lane.BULK, 0.25, 9, True)
    form = {"image": (io.BytesIO(png()), "p.png"), "tag": "é", "expires_in_s": "30", "annotate": "true"}
    job = job_store.get(submit(http, "boxes", data=form))
    assert (job.tag, job.expires_in_s, job.annotate) == ("é", 30.0, True)
    document = {"instances": ROW, "parameters": {"lane": "bulk", "tag": "t", "expires_in_s": 1.5}}
    job = job_store.get(submit(http, json=document, query_string="tag=t"))
    assert (job.lane, job.tag, job.expires_in_s) == (Lane.BULK, "t", 1.5)


def test_a_job_without_a_deadline_has_the_operators_and_0_is_none(
    client: redis.Redis, job_store: JobStore, registry: ModelRegistry, http: FlaskClient
) -> None:
    week_s = 604_800.0
    job = job_store.get(submit(http))
    assert job.expires_in_s == week_s
    assert client.zscore(keys.DEADLINES, job.id) == (job.created_at_us or 0) + week_s * 1_000_000
    longer = {"instances": ROW, "parameters": {"expires_in_s": 2 * week_s}}
    assert job_store.get(submit(http, json=longer)).expires_in_s == 2 * week_s
    with make_http(job_store, registry, max_queue_age_s=0) as without:
        job = job_store.get(submit(without))
    assert job.expires_in_s is None and client.zscore(keys.DEADLINES, job.id) is None


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


def test_only_the_version_that_is_served_can_be_asked_for(http: FlaskClient, job_store: JobStore) -> None:
    answer = http.post("/v1/models/boxes/versions/3/jobs", data=png(), content_type="image/png")
    assert answer.status_code == 202
    assert job_store.get(answer.json["id"]).version == 3
    for version in ("1", "03", "latest"):
        answer = http.post(f"/v1/models/boxes/versions/{version}/jobs", data=png(), content_type="image/png")
        assert error(answer) == (404, "version_not_found", None)
        assert "served is 3" in answer.json["error"]["message"]


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


def test_a_known_model_without_a_worker_takes_jobs(
    http: FlaskClient, client: redis.Redis, registry: ModelRegistry
) -> None:
    client.delete(keys.model_workers("digits"))
    assert not registry.get("digits").workers
    submit(http)
    assert registry.queue_state("digits").queued == 1


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [("respond-async", "respond-async"), ("wait=1, respond-async", "respond-async, wait=1"), ("WAIT=1", "wait=1")],
)
def test_a_wait_that_was_too_short_ends_in_202(http: FlaskClient, prefer: str, applied: str) -> None:
    answer = http.post("/v1/models/digits/jobs", json={"instances": ROW}, headers={"Prefer": prefer})
    assert (answer.status_code, answer.json["status"]) == (202, "queued")
    assert answer.headers["Preference-Applied"] == applied


def test_several_prefer_headers_are_one(http: FlaskClient) -> None:
    headers = [("Prefer", "respond-async"), ("Prefer", "wait=1")]
    answer = http.post("/v1/models/digits/jobs", json={"instances": ROW}, headers=headers)
    assert answer.headers["Preference-Applied"] == "respond-async, wait=1"


def test_a_job_that_ends_within_the_wait_is_200_with_its_result(
    http: FlaskClient, job_store: JobStore, client: redis.Redis
) -> None:
    # Given a worker that takes the job once its client waits for it
    def work() -> None:
        job_id = until(lambda: client.zrange(keys.unfinished("digits"), 0, 0))[0].decode()
        play_worker(job_store, job_id)

    worker = threading.Thread(target=work)
    worker.start()
    # When it submits and waits
    headers = {"Prefer": "respond-async, wait=30"}
    answer = http.post("/v1/models/digits/jobs", json={"instances": ROW}, headers=headers)
    worker.join()
    # Then the answer is the finished job
    assert (answer.status_code, answer.json["status"]) == (200, Status.SUCCEEDED)
    assert answer.json["result"] == {"outputs": {"y": [[0.5]]}}
    assert answer.headers["Preference-Applied"] == "respond-async, wait=30"
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json['id']}"
    assert "Retry-After" not in answer.headers
