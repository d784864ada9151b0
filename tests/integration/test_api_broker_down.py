from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from flask.testing import FlaskClient

from tasks import keys
from tasks.broker import connect
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import make_http, npy, publish_models, until
from tests.valkey import Valkey

ROW = npy([[1, 2, 3, 4]])

#: The broker's own time limit, and some.
WORST_S = 6.5


@pytest.fixture
def own_client(own_valkey: Valkey) -> Iterator[redis.Redis]:
    client = connect(own_valkey.url)
    yield client
    client.close()


@pytest.fixture
def http(own_client: redis.Redis) -> FlaskClient:
    registry = ModelRegistry(own_client)
    publish_models(registry)
    return make_http(JobStore(own_client, 3600), registry)


def post(http: FlaskClient) -> tuple[int, str]:
    answer = http.post("/v1/models/digits/jobs", data=ROW, content_type="application/x-npy")
    return answer.status_code, answer.json.get("error", {}).get("type", answer.json.get("id"))


@contextmanager
def frozen(client: redis.Redis) -> Iterator[None]:
    """The server keeps its connections, and does not answer."""
    process = client.info("server")["process_id"]
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_a_broker_that_is_down_is_503_until_it_is_back(http: FlaskClient, own_valkey: Valkey) -> None:
    # Given a job from better days
    status, job_id = post(http)
    assert status == 202
    # When the broker is down
    own_valkey.stop()
    began_s = time.monotonic()
    # Then every answer that needs it says so
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}?wait=30", "/v1/models", "/readyz", "/metrics"):
        answer = http.get(path)
        assert (answer.status_code, answer.json["error"]["type"]) == (503, "broker_unavailable"), path
        assert int(answer.headers["Retry-After"]) > 0
    assert post(http) == (503, "broker_unavailable")
    assert time.monotonic() - began_s < WORST_S
    assert http.get("/healthz").status_code == 200
    # And when it is back, the same application goes on, with what it had accepted
    own_valkey.start()
    assert until(lambda: http.get(f"/v1/jobs/{job_id}").status_code == 200)
    assert until(lambda: post(http)[0] == 202)


def test_a_broker_that_does_not_answer_is_503_in_time(http: FlaskClient, own_client: redis.Redis) -> None:
    assert post(http)[0] == 202
    with frozen(own_client):
        began_s = time.monotonic()
        assert post(http) == (503, "broker_unavailable")
        assert time.monotonic() - began_s < WORST_S
    assert until(lambda: post(http)[0] == 202)


def test_a_job_that_was_stored_is_202_even_if_the_broker_goes_then(
    http: FlaskClient, own_client: redis.Redis, own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a broker that goes away right after it has stored the job
    submit = JobStore.submit

    def submit_and_stop(*arguments: object) -> object:
        receipt = submit(*arguments)  # type: ignore[arg-type]
        own_valkey.stop()
        return receipt

    monkeypatch.setattr(JobStore, "submit", submit_and_stop)
    # Then the client hears that it is stored
    status, job_id = post(http)
    assert status == 202
    # And it is
    own_valkey.start()
    assert until(lambda: http.get(f"/v1/jobs/{job_id}").status_code == 200)


def test_a_request_that_was_503_and_comes_again_with_its_key_is_one_job(
    http: FlaskClient, own_client: redis.Redis
) -> None:
    def post_with_key() -> tuple[int, str]:
        headers = {"Idempotency-Key": "order-4711"}
        answer = http.post("/v1/models/digits/jobs", data=ROW, content_type="application/x-npy", headers=headers)
        return answer.status_code, answer.json.get("error", {}).get("type", answer.json.get("id"))

    # Given a broker that got the job, but did not answer in time
    assert post(http)[0] == 202
    with frozen(own_client):
        assert post_with_key() == (503, "broker_unavailable")
    stored = until(lambda: own_client.zrange(keys.unfinished("digits"), 1, -1))
    # When the client sends it again
    status, job_id = until(lambda: (answer := post_with_key())[0] == 202 and answer)
    # Then it is told of the job that was stored
    assert (status, [job_id.encode()]) == (202, stored)
    assert own_client.zcard(keys.unfinished("digits")) == 2
