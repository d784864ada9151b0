from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tasks.job import Failure, FailureType, new_job_id
from tasks.job_store import JobStore
from tests.http_api import OLD_ID, error_type, play_worker, png, submit, until
from tests.stand_in_worker import StandInWorker

MALFORMED = [
    "1",
    "x:input",
    "%00",
    "01A20035-9B78-72BF-AA03-3A48C3D6BFD9",
    "{01a20035-9b78-72bf-aa03-3a48c3d6bfd9}",
    "é",
]


def test_a_record_follows_its_job_to_the_end(http: FlaskClient, job_store: JobStore) -> None:
    job_id = submit(http)
    queued = http.get(f"/v1/jobs/{job_id}")
    assert (queued.json["status"], queued.headers["Retry-After"]) == ("queued", "1")
    worker = StandInWorker(job_store)
    started = worker.start(job_id)
    running = http.get(f"/v1/jobs/{job_id}")
    assert (running.json["status"], running.json["attempt"], running.json["worker"]) == ("running", 1, "digits@host")
    assert running.json["queue_ms"] >= 0
    assert "Retry-After" in running.headers
    worker.fail(started, Failure(FailureType.MODEL_ERROR, "It divides by zero."))
    ended = http.get(f"/v1/jobs/{job_id}")
    assert ended.json["failure"] == {"type": "model_error", "message": "It divides by zero."}
    assert ended.json["created_at"] < ended.json["started_at"] < ended.json["finished_at"]
    assert ended.json["result"] is None
    assert "Retry-After" not in ended.headers
    assert ended.headers["Cache-Control"] == "no-store"


def test_a_succeeded_record_brings_its_result_inline(http: FlaskClient, job_store: JobStore) -> None:
    job_id = submit(http)
    outputs = {"y": np.array([[1, np.nan]], "float32"), "n": np.array([2**53], "int64")}
    play_worker(job_store, job_id, outputs, {"labels": [["one"]]})
    record = http.get(f"/v1/jobs/{job_id}").json
    assert record["result"] == {"outputs": {"y": [[1.0, None]], "n": [2**53]}, "labels": [["one"]]}
    assert record["compute_ms"] == 1.25


@pytest.mark.parametrize("path", ["/v1/jobs/{}", "/v1/jobs/{}/result"])
def test_what_never_was_is_404_and_what_is_over_is_410(http: FlaskClient, path: str) -> None:
    assert error_type(http.get(path.format(new_job_id())), 404) == "job_not_found"
    assert error_type(http.get(path.format(OLD_ID)), 410) == "job_gone"
    for job_id in MALFORMED:
        assert error_type(http.get(path.format(job_id)), 404) == "job_not_found"


def test_nobody_can_make_an_id_into_another_key(http: FlaskClient) -> None:
    job_id = submit(http)
    for method in (http.get, http.delete):
        assert error_type(method(f"/v1/jobs/{job_id}:input"), 404) == "job_not_found"


def test_cancelling_ends_a_job_once(http: FlaskClient) -> None:
    job_id = submit(http)
    answer = http.delete(f"/v1/jobs/{job_id}")
    assert (answer.status_code, answer.json["id"], answer.json["status"]) == (200, job_id, "cancelled")
    assert error_type(http.delete(f"/v1/jobs/{job_id}"), 409) == "job_finished"
    assert error_type(http.delete(f"/v1/jobs/{new_job_id()}"), 404) == "job_not_found"
    assert error_type(http.delete(f"/v1/jobs/{OLD_ID}"), 410) == "job_gone"


def npz_arrays(data: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name].tolist() for name in archive.files}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        ("application/x-npz", "application/x-npz"),
        ("application/x-npy", "application/x-npy"),
        ("image/png", "image/png"),
        ("image/*", "image/png"),
        ("application/x-npz;q=0.4, application/x-npy;q=0.9", "application/x-npy"),
        ("text/html, application/x-npz, */*;q=0.1", "application/x-npz"),
        ("application/json;q=0, */*", "application/x-npz"),
    ],
)
def test_a_result_comes_in_the_form_that_is_liked_best(
    http: FlaskClient, job_store: JobStore, accept: str | None, content_type: str
) -> None:
    job_id = submit(http)
    drawing = png()
    play_worker(job_store, job_id, {"y": np.array([[0.5]], "float32")}, annotated=[drawing])
    answer = http.get(f"/v1/jobs/{job_id}/result", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, content_type)
    assert answer.headers["Vary"] == "Accept"
    if content_type == "application/json":
        assert answer.json == {"outputs": {"y": [[0.5]]}}
    elif content_type == "image/png":
        assert answer.data == drawing
    elif content_type == "application/x-npz":
        assert npz_arrays(answer.data) == {"y": [[0.5]]}
    else:
        assert np.load(io.BytesIO(answer.data), allow_pickle=False).tolist() == [[0.5]]


@pytest.mark.parametrize(
    ("accept", "offered"),
    [
        ("text/html", "application/json, application/x-npz"),
        ("application/x-npy", "application/json, application/x-npz"),
        ("image/png", "application/json, application/x-npz"),
        ("*/*;q=0", "application/json, application/x-npz"),
    ],
)
def test_a_form_that_a_result_has_not_is_406_naming_those_it_has(
    http: FlaskClient, job_store: JobStore, accept: str, offered: str
) -> None:
    job_id = submit(http)
    play_worker(job_store, job_id, {"y": np.zeros(1), "z": np.zeros(1)})
    answer = http.get(f"/v1/jobs/{job_id}/result", headers={"Accept": accept})
    assert error_type(answer, 406) == "not_acceptable"
    assert answer.json["error"]["message"].endswith(f"it can as {offered}.")


def test_a_second_choice_is_better_than_none(http: FlaskClient, job_store: JobStore) -> None:
    job_id = submit(http)
    play_worker(job_store, job_id)
    answer = http.get(f"/v1/jobs/{job_id}/result", headers={"Accept": "image/png, application/json;q=0.5"})
    assert answer.headers["Content-Type"] == "application/json"


def test_a_job_without_a_result_says_why(http: FlaskClient, job_store: JobStore) -> None:
    queued, running, failed, cancelled = submit(http), submit(http), submit(http), submit(http)
    expired = submit(http, json={"instances": [[1, 2, 3, 4]], "parameters": {"expires_in_s": 1e-6}})
    worker = StandInWorker(job_store)
    worker.start(running)
    worker.fail(worker.start(failed), Failure(FailureType.OUT_OF_MEMORY, "Send fewer rows."))
    http.delete(f"/v1/jobs/{cancelled}")
    until(lambda: job_store.expire_overdue() or job_store.get(expired).is_finished)
    for job_id, status, kind in [
        (queued, 409, "job_not_finished"),
        (running, 409, "job_not_finished"),
        (failed, 422, "out_of_memory"),
        (cancelled, 409, "job_cancelled"),
        (expired, 410, "job_expired"),
    ]:
        assert error_type(http.get(f"/v1/jobs/{job_id}/result"), status) == kind
    assert http.get(f"/v1/jobs/{failed}/result").json["error"]["message"] == "Send fewer rows."


def test_a_deleted_result_is_gone_and_its_record_stays(http: FlaskClient, job_store: JobStore) -> None:
    job_id = submit(http)
    assert error_type(http.delete(f"/v1/jobs/{job_id}/result"), 409) == "job_not_finished"
    play_worker(job_store, job_id)
    for _ in range(2):
        deleted = http.delete(f"/v1/jobs/{job_id}/result")
        assert (deleted.status_code, deleted.data) == (204, b"")
    assert error_type(http.get(f"/v1/jobs/{job_id}/result"), 410) == "result_gone"
    record = http.get(f"/v1/jobs/{job_id}").json
    assert (record["status"], record["result"]) == ("succeeded", None)
    assert error_type(http.delete(f"/v1/jobs/{new_job_id()}/result"), 404) == "job_not_found"
