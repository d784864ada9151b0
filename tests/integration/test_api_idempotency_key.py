from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from tasks import keys
from tasks.api_keys import parse_api_keys
from tasks.errors import IdempotencyKeyReused
from tasks.job import Job, Status, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.api_process import Api
from tests.http_api import NPY, error_type, make_http, npy, play_worker, png, publish_models, until
from tests.valkey import Valkey

ROW = {"instances": [[1, 2, 3, 4]]}
KEY = {"Idempotency-Key": "order-4711"}


def post(http: FlaskClient, path: str = "/v1/models/digits/jobs", **request: Any) -> Any:
    return http.post(path, **({"json": ROW, "headers": KEY} | request))


def jobs(client: redis.Redis, model: str = "digits") -> int:
    return client.zcard(keys.unfinished(model))


@contextmanager
def served(app: Flask) -> Iterator[tuple[str, int]]:
    """The application behind a real socket."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield "127.0.0.1", server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("model", "request_"),
    [
        ("digits", {"json": ROW}),
        ("digits", {"json": ROW, "query_string": "tag=t&lane=bulk"}),
        ("digits", {"data": npy([[1, 2, 3, 4]]), "content_type": NPY}),
        ("boxes", {"data": png(), "content_type": "image/png"}),
    ],
    ids=["json", "parameters", "npy", "picture"],
)
def test_the_same_request_with_the_same_key_is_the_same_job(
    http: FlaskClient, client: redis.Redis, model: str, request_: dict[str, Any]
) -> None:
    answers = [http.post(f"/v1/models/{model}/jobs", headers=KEY, **request_) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert jobs(client, model) == 1
    assert client.llen(f"model.{model}") + client.llen(f"model.{model}\x06\x169") == 1


def test_a_form_is_the_same_whatever_boundary_its_parts_have(http: FlaskClient, client: redis.Redis) -> None:
    answers = [
        post(http, "/v1/models/boxes/jobs", json=None, data={"image": (io.BytesIO(png()), "p.png"), "tag": "t"})
        for _ in range(2)
    ]
    assert answers[0].status_code == 202
    assert answers[0].json["id"] == answers[1].json["id"]


def test_without_a_key_each_request_is_a_job_of_its_own(http: FlaskClient, client: redis.Redis) -> None:
    for _ in range(2):
        post(http, headers={})
    assert jobs(client) == 2
    assert not client.keys("*idempotency*")


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/v1/models/digits/jobs", {"json": {"instances": [[1, 2, 3, 5]]}}),
        ("/v1/models/digits/jobs", {"query_string": "tag=t"}),
        ("/v1/models/digits/jobs", {"json": ROW | {"parameters": {"lane": "bulk"}}}),
        ("/v1/models/digits/versions/1/jobs", {}),
        ("/v1/models/digits/jobs", {"json": None, "data": npy([[1, 2, 3, 4]]), "content_type": NPY}),
    ],
    ids=["input", "tag", "lane", "pinned-version", "content-type"],
)
def test_the_same_key_with_another_request_is_422_and_no_job(
    http: FlaskClient, client: redis.Redis, path: str, request_: dict[str, Any]
) -> None:
    first = post(http)
    assert error_type(post(http, path, **request_), 422) == "idempotency_key_reused"
    assert jobs(client) == 1
    # And the key still means the first job
    assert post(http).json["id"] == first.json["id"]


@pytest.mark.parametrize("key", ["", "k" * 256, "two words", "kö"])
def test_a_key_that_cannot_be_one_is_400_naming_the_header(http: FlaskClient, client: redis.Redis, key: str) -> None:
    answer = post(http, headers={"Idempotency-Key": key})
    assert error_type(answer, 400) == "invalid_header"
    assert answer.json["error"]["field"] == "Idempotency-Key"
    assert jobs(client) == 0


def test_a_key_is_one_owners_and_for_one_model(
    client: redis.Redis, job_store: JobStore, registry: ModelRegistry
) -> None:
    publish_models(registry)
    http = make_http(job_store, registry, api_keys=parse_api_keys("ann:a,bob:b"))
    row = {"data": npy([[1, 2, 3, 4]]), "content_type": NPY, "json": None}
    of_ann, again, of_bob = (post(http, headers=KEY | {"X-API-Key": key}, **row) for key in "aab")
    assert of_ann.json["id"] == again.json["id"] != of_bob.json["id"]
    pairs = {"inputs": {"a": [[1, 2]], "b": [3]}}
    other_model = post(http, "/v1/models/pairs/jobs", headers=KEY | {"X-API-Key": "a"}, json=pairs)
    assert other_model.status_code == 202
    assert (jobs(client), jobs(client, "pairs")) == (2, 1)


def test_thirty_threads_with_one_key_make_one_job(http: FlaskClient, client: redis.Redis) -> None:
    app, ids, start = http.application, [], threading.Barrier(30)

    def send() -> None:
        start.wait()
        answer = post(app.test_client())
        ids.append(answer.json["id"] if answer.status_code == 202 else answer.text)

    threads = [threading.Thread(target=send) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 30
    assert len(set(ids)) == 1
    assert (jobs(client), client.llen("model.digits")) == (1, 1)


@pytest.fixture
def api(valkey: Valkey, tmp_path: Path) -> Iterator[Api]:
    api = Api(tmp_path, REDIS_URL=valkey.url, CELERIAC_API_PROCESSES="2")
    try:
        api.await_ready()
        until(lambda: both_serve(api))
        yield api
    finally:
        api.stop()


def both_serve(api: Api) -> bool:
    """Whether new connections come to both processes; the first one that is ready serves alone for a while."""
    with ExitStack() as connections:
        for _ in range(16):
            connections.enter_context(httpx.Client(base_url=api.url)).get("/healthz")
        return serving_processes(api) == 2


def serving_processes(api: Api) -> int:
    """How many processes a client's connection is open to."""
    return sum(
        any(one.laddr.port == api.port and one.status == psutil.CONN_ESTABLISHED for one in process.net_connections())
        for process in api.family()
    )


def test_thirty_clients_of_two_processes_with_one_key_make_one_job(
    api: Api, client: redis.Redis, registry: ModelRegistry
) -> None:
    publish_models(registry)
    ids, start = [], threading.Barrier(31)

    def send() -> None:
        with httpx.Client(base_url=api.url, timeout=20) as http:
            http.get("/healthz")
            start.wait(20)
            start.wait(20)
            answer = post(http)
            ids.append(answer.json()["id"] if answer.status_code == 202 else answer.text)

    threads = [threading.Thread(target=send) for _ in range(30)]
    for thread in threads:
        thread.start()
    # Given connections to both processes
    start.wait(20)
    serving = serving_processes(api)
    start.wait(20)
    for thread in threads:
        thread.join()
    assert serving == 2
    # Then all are told of the same job
    assert len(ids) == 30
    assert len(set(ids)) == 1
    assert (jobs(client), client.llen("model.digits")) == (1, 1)


def test_a_job_that_has_ended_is_200_with_its_result_for_who_waits_and_202_for_who_does_not(
    http: FlaskClient, job_store: JobStore
) -> None:
    job_id = post(http).json["id"]
    play_worker(job_store, job_id)
    waited = post(http, headers=KEY | {"Prefer": "wait=30"})
    assert (waited.status_code, waited.json["id"]) == (200, job_id)
    assert waited.json["result"] == {"outputs": {"y": [[0.5]]}}
    assert waited.headers["Preference-Applied"] == "wait=30"
    at_once = post(http)
    assert (at_once.status_code, at_once.json["id"], at_once.json["status"]) == (202, job_id, "succeeded")


def test_who_sends_again_and_waits_is_told_the_end(http: FlaskClient, job_store: JobStore) -> None:
    job_id = post(http).json["id"]
    worker = threading.Timer(0.2, play_worker, (job_store, job_id))
    worker.start()
    answer = post(http, headers=KEY | {"Prefer": "wait=30"})
    worker.join()
    assert (answer.status_code, answer.json["id"], answer.json["status"]) == (200, job_id, Status.SUCCEEDED)


def test_a_key_is_kept_as_long_as_its_job_and_is_free_after_that(client: redis.Redis, registry: ModelRegistry) -> None:
    # Given a server that keeps ended jobs for a second
    publish_models(registry)
    store = JobStore(client, result_ttl_s=1)
    http = make_http(store, registry)
    job_id = post(http).json["id"]
    (name,) = client.keys("*idempotency*")
    assert client.ttl(name) == -1
    # When the job has ended
    store.cancel(job_id)
    # Then its key lives as long as its record
    assert client.pexpiretime(name) == client.pexpiretime(keys.job(job_id))
    until(lambda: not client.exists(name))
    assert post(http).json["id"] != job_id


def test_a_key_whose_job_is_gone_is_free_for_another_request(http: FlaskClient, client: redis.Redis) -> None:
    job_id = post(http).json["id"]
    client.delete(keys.job(job_id))
    other = post(http, json={"instances": [[5, 6, 7, 8]]})
    assert other.status_code == 202
    assert post(http, json={"instances": [[5, 6, 7, 8]]}).json["id"] == other.json["id"] != job_id


def test_neither_key_nor_request_is_kept_as_text(http: FlaskClient, client: redis.Redis) -> None:
    job_id = post(http, json=ROW | {"parameters": {"tag": "t"}}).json["id"]
    stored = [name + (client.get(name) if b"idempotency" in name else b"") for name in client.keys("*")]
    record = client.hgetall(keys.job(job_id))
    assert len(record[b"request"]) == len(record[b"idempotency"]) == 64
    assert KEY["Idempotency-Key"].encode() not in b"".join([*stored, *record.values()])


def test_a_client_that_was_cut_off_finds_its_job_with_its_key(http: FlaskClient, client: redis.Redis) -> None:
    body = npy([[1, 2, 3, 4]])
    head = (
        f"POST /v1/models/digits/jobs HTTP/1.1\r\nHost: h\r\nContent-Type: {NPY}\r\n"
        f"Idempotency-Key: order-4711\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    # Given a client whose connection ends before the answer
    with served(http.application) as address, socket.create_connection(address) as connection:
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_RDWR)
        (raw,) = until(lambda: client.zrange(keys.unfinished("digits"), 0, -1))
    # When it sends the request again
    answer = post(http, json=None, data=body, content_type=NPY)
    # Then it is told of the job that it has
    assert (answer.status_code, answer.json["id"]) == (202, raw.decode())
    assert jobs(client) == 1


def test_jobs_of_one_call_that_share_an_idempotency_are_one_job(client: redis.Redis, job_store: JobStore) -> None:
    first = Job(id=new_job_id(), model="digits", version=1, idempotency="i", request="r")
    twin, other = replace(first, id=new_job_id()), replace(first, id=new_job_id(), request="s")
    with pytest.raises(IdempotencyKeyReused, match="digits"):
        job_store.submit_many([(first, b"1"), (twin, b"1"), (other, b"2")])
    assert client.zrange(keys.unfinished("digits"), 0, -1) == [first.id.encode()]
    assert job_store.submit(twin, b"1").job_id == first.id
