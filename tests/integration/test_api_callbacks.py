from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from tasks.api_keys import parse_api_keys
from tasks.callbacks.callback import Attempt, CallbackStatus, Trouble
from tasks.callbacks.receivers import parse_receivers
from tasks.callbacks.signing import parse_secrets
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.callback_records import URL, begun
from tests.http_api import OLD_ID, error_type, make_http, play_worker, publish_models, submit
from tests.receivers import SECRET

ROW = {"instances": [[1, 2, 3, 4]]}
BY_ANN, BY_BOB = ({"X-API-Key": f"key-of-{name}"} for name in ("ann", "bob"))


@pytest.fixture
def http(job_store: JobStore, registry: ModelRegistry) -> Iterator[FlaskClient]:
    publish_models(registry)
    with make_http(job_store, registry, callback_secrets=parse_secrets(SECRET)) as http:
        yield http


def with_callback(http: FlaskClient, url: str = URL) -> str:
    return submit(http, json=ROW | {"parameters": {"callback_url": url}})


def settle(
    job_store: JobStore, client: redis.Redis, job_id: str, status: CallbackStatus, status_code: int | None = 200
) -> None:
    """Play the callbacks' worker."""
    job = job_store.get(job_id)
    one = begun(client, job)
    trouble = None if status_code else Trouble.TIMED_OUT
    attempt = Attempt(
        number=one.number, started_at_us=one.started_at_us, took_ms=2.0, status_code=status_code, trouble=trouble
    )
    assert job_store.callbacks.settle(job, attempt, status, 60.0)


def test_a_callback_is_followed_from_the_submission_to_its_end(
    http: FlaskClient, job_store: JobStore, client: redis.Redis
) -> None:
    job_id = with_callback(http)
    url = f"/v1/jobs/{job_id}/callback"
    # While the job has not ended there is nothing to tell
    waiting = http.get(url).json
    assert (waiting["status"], waiting["attempt"], waiting["attempts"], waiting["url"]) == ("waiting", 0, [], URL)
    assert http.get(f"/v1/jobs/{job_id}").json["links"]["callback"] == url
    assert error_type(http.post(f"{url}:redeliver"), 409) == "job_not_finished"
    # Once it has, the callback is due at the time at which it ended
    play_worker(job_store, job_id)
    due = http.get(url).json
    assert "celeriac_due_callbacks 1.0" in http.get("/metrics").text
    assert (due["status"], due["due_at"]) == ("due", http.get(f"/v1/jobs/{job_id}").json["finished_at"])
    # Attempts are listed, and those that got no answer say why
    settle(job_store, client, job_id, CallbackStatus.DUE, 500)
    settle(job_store, client, job_id, CallbackStatus.DUE, None)
    settle(job_store, client, job_id, CallbackStatus.ACCEPTED)
    accepted = http.get(url).json
    assert (accepted["status"], accepted["attempt"], accepted["due_at"]) == ("accepted", 3, None)
    told = [(one["number"], one["status_code"], one["trouble"]) for one in accepted["attempts"]]
    assert told == [(1, 500, None), (2, None, "timed_out"), (3, 200, None)]
    # And its client may ask for it once more
    again = http.post(f"{url}:redeliver")
    assert (again.status_code, again.json["status"], again.json["attempt"]) == (202, "due", 3)


def test_a_job_without_a_callback_says_so(http: FlaskClient) -> None:
    job_id = submit(http)
    assert error_type(http.get(f"/v1/jobs/{job_id}/callback"), 404) == "callback_not_found"
    assert error_type(http.post(f"/v1/jobs/{job_id}/callback:redeliver"), 404) == "callback_not_found"
    assert "callback" not in http.get(f"/v1/jobs/{job_id}").json["links"]
    assert error_type(http.get("/v1/jobs/x/callback"), 404) == "job_not_found"
    assert error_type(http.get(f"/v1/jobs/{OLD_ID}/callback"), 410) == "job_gone"


@pytest.mark.parametrize(
    ("url", "got"),
    [
        ("https://127.0.0.1/hook?token=s3cret", "private address"),
        ("https://[::ffff:10.0.0.1]/s3cret", "private address"),
        ("https://169.254.169.254/s3cret", "private address"),
        ("https://2130706433/s3cret", "private address"),
        ("https://localhost/s3cret", "own machine"),
        ("http://hooks.example/s3cret", "http one"),
        ("ftp://hooks.example/s3cret", "another scheme"),
        ("https://user:s3cret@hooks.example/", "credentials"),
        ("https://hooks.example/s3cret\r\nX: y", "character"),
        ("https://hooks.example/s3cret" + "x" * 2048, "2076 characters"),
    ],
)
def test_a_url_that_may_not_be_called_is_refused_naming_the_field_and_not_the_url(
    http: FlaskClient, client: redis.Redis, url: str, got: str
) -> None:
    answer = http.post("/v1/models/digits/jobs", json=ROW | {"parameters": {"callback_url": url}})
    assert error_type(answer, 400) == "invalid_parameter"
    error = answer.json["error"]
    assert error["field"] == "parameters.callback_url" and got in error["got"]
    assert "s3cret" not in answer.text
    assert not list(client.scan_iter("celeriac:job:*"))


def test_a_callback_url_of_the_wrong_kind_is_refused(http: FlaskClient) -> None:
    answer = http.post("/v1/models/digits/jobs", json=ROW | {"parameters": {"callback_url": 1}})
    assert answer.json["error"]["field"] == "parameters.callback_url"


def test_it_comes_in_the_query_too_and_for_all_jobs_of_a_bulk(http: FlaskClient, job_store: JobStore) -> None:
    answer = http.post("/v1/models/digits/jobs", json=ROW, query_string={"callback_url": URL})
    assert job_store.get(answer.json["id"]).callback_url == URL
    lines = b'{"inputs": {"x": [1, 2, 3, 4]}}\n' * 2
    bulk: dict[str, Any] = {"data": lines, "content_type": "application/jsonl"}
    many = http.post("/v1/models/digits/jobs:bulk", query_string={"callback_url": URL}, **bulk)
    assert [job_store.get(job["id"]).callback_url for job in many.json["jobs"]] == [URL, URL]
    refused = http.post("/v1/models/digits/jobs:bulk", query_string={"callback_url": "http://10.0.0.1/"}, **bulk)
    assert error_type(refused, 400) == "invalid_parameter"


def test_without_a_secret_there_are_no_callbacks(job_store: JobStore, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(job_store, registry)
    answer = http.post("/v1/models/digits/jobs", json=ROW | {"parameters": {"callback_url": URL}})
    assert error_type(answer, 400) == "invalid_parameter"
    assert "CELERIAC_CALLBACK_SECRETS" in answer.json["error"]["message"]


def test_whom_the_operator_allows_may_be_called(job_store: JobStore, registry: ModelRegistry) -> None:
    publish_models(registry)
    allowed = {"callback_secrets": parse_secrets(SECRET), "callback_allow": parse_receivers("10.0.0.0/8,localhost")}
    http = make_http(job_store, registry, **allowed)
    for url in ("http://10.9.9.9:8080/a", "http://localhost/", "https://hooks.example/"):
        with_callback(http, url)
    answer = http.post("/v1/models/digits/jobs", json=ROW, query_string={"callback_url": "http://192.168.0.1/"})
    assert error_type(answer, 400) == "invalid_parameter"


def test_the_same_key_with_another_callback_is_another_request(http: FlaskClient) -> None:
    def send(url: str) -> Any:
        body = ROW | {"parameters": {"callback_url": url}}
        return http.post("/v1/models/digits/jobs", json=body, headers={"Idempotency-Key": "k"})

    assert send(URL).json["id"] == send(URL).json["id"]
    assert error_type(send(URL + "2"), 422) == "idempotency_key_reused"


def test_callbacks_are_paged_by_status_the_latest_end_first(
    http: FlaskClient, job_store: JobStore, client: redis.Redis
) -> None:
    job_ids = [with_callback(http) for _ in range(5)]
    for job_id in job_ids:
        play_worker(job_store, job_id)
    settle(job_store, client, job_ids[1], CallbackStatus.GIVEN_UP, 410)
    seen, after = [], ""
    while after is not None:
        page = http.get("/v1/callbacks", query_string={"limit": "2", "after": after}).json
        seen += [one["id"] for one in page["callbacks"]]
        after = page["after"]
    assert seen == job_ids[::-1]
    given_up = http.get("/v1/callbacks?status=given_up").json
    assert [one["id"] for one in given_up["callbacks"]] == [job_ids[1]] and given_up["after"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *(("status=waiting", "status"), ("status=x", "status"), ("limit=0", "limit"), ("limit=1001", "limit")),
        *(("after=1", "after"), ("after=99999999999999999-x", "after"), ("a=b", "a"), ("limit=1&limit=2", "limit")),
    ],
)
def test_a_page_that_cannot_be_had_is_refused_naming_the_parameter(http: FlaskClient, query: str, field: str) -> None:
    answer = http.get(f"/v1/callbacks?{query}")
    assert (error_type(answer, 400), answer.json["error"]["field"]) == ("invalid_parameter", field)


def test_each_owner_has_his_own_callbacks_alone(
    job_store: JobStore, registry: ModelRegistry, client: redis.Redis
) -> None:
    publish_models(registry)
    keys = parse_api_keys("ann:key-of-ann,bob:key-of-bob")
    # Given a secret for ann alone
    http = make_http(job_store, registry, api_keys=keys, callback_secrets=parse_secrets(f"ann:{SECRET}"))
    request: dict[str, Any] = {"json": ROW | {"parameters": {"callback_url": URL}}}
    job_id = submit(http, headers=BY_ANN, **request)
    play_worker(job_store, job_id)
    # Then bob sees nothing of hers and has none himself
    for method, path in (("GET", "/callback"), ("POST", "/callback:redeliver")):
        answer = http.open(f"/v1/jobs/{job_id}{path}", method=method, headers=BY_BOB)
        assert error_type(answer, 404) == "job_not_found"
    assert http.get("/v1/callbacks", headers=BY_BOB).json["callbacks"] == []
    assert [one["id"] for one in http.get("/v1/callbacks", headers=BY_ANN).json["callbacks"]] == [job_id]
    assert error_type(http.post("/v1/models/digits/jobs", headers=BY_BOB, **request), 400) == "invalid_parameter"
