from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import redis
from flask.testing import FlaskClient

from tasks import keys
from tasks.job import Failure, FailureType, Job, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import make_http, play_worker, png, publish_models, submit, until

OLD_ID = "01900000-0000-7000-8000-000000000000"
MALFORMED = [
    "1",
    "x:input",
    "%00",
    "01A20035-9B78-72BF-AA03-3A48C3D6BFD9",
    "{01a20035-9b78-72bf-aa03-3a48c3d6bfd9}",
    "é",
]


@pytest.fixture
def http(job_store: JobStore, registry: ModelRegistry) -> Iterator[FlaskClient]:
    publish_models(registry)
    with make_http(job_store, registry) as http:
        yield http


def error_type(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.json["error"]["message"]
    return str(answer.json["error"]["type"])


@dataclass
class Poll:
    """A long poll in a thread of its own."""

    http: FlaskClient
    job_id: str
    wait_s: float
    answers: list[Any] = field(default_factory=list)

    def __enter__(self) -> Poll:
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _ask(self) -> None:
        self.answers.append(self.http.application.test_client().get(f"/v1/jobs/{self.job_id}?wait={self.wait_s}"))


def waited_for(client: redis.Redis, job_id: str) -> Callable[[], Any]:
    return lambda: client.pubsub_numsub(keys.finished_channel(job_id))[0][1]


def test_a_record_follows_its_job_to_the_end(http: FlaskClient, job_store: JobStore) -> None:
    job_id = submit(http)
    queued = http.get(f"/v1/jobs/{job_id}")
    assert (queued.json["status"], queued.headers["Retry-After"]) == ("queued", "1")
    started = job_store.start(job_id, "digits", "digits@host")
    running = http.get(f"/v1/jobs/{job_id}")
    assert (running.json["status"], running.json["attempt"], running.json["worker"]) == ("running", 1, "digits@host")
    assert running.json["queue_ms"] >= 0
    assert "Retry-After" in running.headers
    job_store.fail(started.job, Failure(FailureType.MODEL_ERROR, "It divides by zero."))
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


@pytest.mark.parametrize("wait", ["-1", "60.5", "nan", "inf", "soon", ""])
def test_a_wait_that_is_none_is_400(http: FlaskClient, wait: str) -> None:
    answer = http.get(f"/v1/jobs/{submit(http)}?wait={wait}")
    assert error_type(answer, 400) == "invalid_parameter"
    assert answer.json["error"]["field"] == "wait"
    assert answer.json["error"]["expected"] == "a number of seconds from 0 to 60"
    assert answer.json["error"]["got"] == repr(wait)


def test_a_long_poll_answers_when_the_job_ends(http: FlaskClient, job_store: JobStore, client: redis.Redis) -> None:
    job_id = submit(http)
    with Poll(http, job_id, 60) as poll:
        until(waited_for(client, job_id))
        assert not poll.answers
        began_s = time.monotonic()
        play_worker(job_store, job_id)
    assert poll.answers[0].json["status"] == "succeeded"
    assert time.monotonic() - began_s < 3


def test_a_long_poll_outlasts_several_looks_at_the_server(
    http: FlaskClient, job_store: JobStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.waiting.LOOK_UP_S", 0.05)
    job_id = submit(http)
    with Poll(http, job_id, 60) as poll:
        before = client.info("stats")["total_connections_received"]
        until(lambda: client.info("stats")["total_connections_received"] > before + 3)
        play_worker(job_store, job_id)
    assert poll.answers[0].json["status"] == "succeeded"


def test_a_long_poll_that_ends_first_answers_the_record_as_it_is(http: FlaskClient) -> None:
    job_id = submit(http)
    began_s = time.monotonic()
    answer = http.get(f"/v1/jobs/{job_id}?wait=0.3")
    assert 0.25 < time.monotonic() - began_s < 5
    assert (answer.status_code, answer.json["status"]) == (200, "queued")


def test_beyond_the_cap_a_poll_answers_at_once(
    job_store: JobStore, registry: ModelRegistry, client: redis.Redis
) -> None:
    # Given one place to wait, and somebody in it
    publish_models(registry)
    http = make_http(job_store, registry, max_waiters=1)
    job_id = submit(http)
    with Poll(http, job_id, 60):
        until(waited_for(client, job_id))
        # When others want to wait too
        began_s = time.monotonic()
        answer = http.get(f"/v1/jobs/{job_id}?wait=60")
        headers = {"Prefer": "respond-async, wait=60"}
        submitted = http.post("/v1/models/digits/jobs", json={"instances": [[1, 2, 3, 4]]}, headers=headers)
        # Then they are answered at once
        assert time.monotonic() - began_s < 10
        assert answer.json["status"] == "queued"
        assert submitted.headers["Preference-Applied"] == "respond-async"
        play_worker(job_store, job_id)
    # And once the place is free again, it is given again
    assert http.get(f"/v1/jobs/{submit(http)}?wait=0.2").status_code == 200


def test_waiters_leave_a_thread_for_those_who_do_not_wait(
    job_store: JobStore, registry: ModelRegistry, client: redis.Redis
) -> None:
    publish_models(registry)
    http = make_http(job_store, registry, max_waiters=48, api_threads=2)
    job_id = submit(http)
    with Poll(http, job_id, 60):
        until(waited_for(client, job_id))
        began_s = time.monotonic()
        assert http.get(f"/v1/jobs/{job_id}?wait=60").json["status"] == "queued"
        assert time.monotonic() - began_s < 10
        play_worker(job_store, job_id)


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
    play_worker(job_store, job_id, {"y": np.array([[0.5]], "float32")}, annotated=drawing)
    answer = http.get(f"/v1/jobs/{job_id}/result", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, content_type)
    assert answer.headers["Vary"] == "Accept"
    if content_type == "application/json":
        assert answer.json == {"outputs": {"y": [[0.5]]}}
    elif content_type == "image/png":
        assert answer.data == drawing
    elif content_type == "application/x-npz":
        assert answer.data == job_store.result(job_id)["outputs"]
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
    job_store.start(running, "digits", "w")
    job_store.fail(job_store.start(failed, "digits", "w").job, Failure(FailureType.OUT_OF_MEMORY, "Send fewer rows."))
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
