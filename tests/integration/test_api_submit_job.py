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
from tests.http_api import NPY, NPZ, error, make_http, npy, npz, play_worker, png, stored_input, submit, until

ROW = [[1, 2, 3, 4]]


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


def test_only_the_version_that_is_served_can_be_asked_for(http: FlaskClient, job_store: JobStore) -> None:
    answer = http.post("/v1/models/boxes/versions/3/jobs", data=png(), content_type="image/png")
    assert answer.status_code == 202
    assert job_store.get(answer.json["id"]).version == 3
    for version in ("1", "03", "stable"):
        answer = http.post(f"/v1/models/boxes/versions/{version}/jobs", data=png(), content_type="image/png")
        assert error(answer) == (404, "version_not_found", None)
        assert "served are 3, latest (3)." in answer.json["error"]["message"]


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
