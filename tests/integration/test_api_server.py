"""`python -m api` as a process of its own, asked over HTTP."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

from tasks import keys
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.result import result_npz
from tests.api_process import Api
from tests.http_api import NPY, npy, play_worker, publish_models, until
from tests.valkey import Valkey

ROW = npy([[1, 2, 3, 4]])
LIMIT = 1_000_000


@pytest.fixture(scope="module")
def api(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    environment = {
        "CELERIAC_MAX_BODY_BYTES": str(LIMIT),
        "CELERIAC_API_PROCESSES": "1",
        "CELERIAC_API_THREADS": "8",
        "CELERIAC_MAX_WAITERS": "6",
    }
    api = Api(tmp_path_factory.mktemp("api"), REDIS_URL=valkey.url, **environment).await_ready()
    yield api
    api.stop()


@pytest.fixture
def http(api: Api, registry: ModelRegistry) -> Iterator[httpx.Client]:
    publish_models(registry)
    with httpx.Client(base_url=api.url, timeout=70) as http:
        yield http


def post(http: httpx.Client, content: Any = ROW, **headers: str) -> httpx.Response:
    return http.post("/v1/models/digits/jobs", content=content, headers={"Content-Type": NPY} | headers)


def somebody_waits(client: redis.Redis, api: Api) -> bool:
    """Whether the process listens for the end of jobs: in one in which nobody waited before, somebody waits now."""
    names = {f"celeriac-finish-listener-{process.pid}" for process in api.family()}
    return any(one["name"] in names and one["sub"] == "1" for one in client.client_list())


class Polls(list[Any]):
    """Long polls of one job in threads; afterwards their answers, or what went wrong."""

    def __init__(self, url: str, count: int) -> None:
        super().__init__()
        self._url = url
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def __enter__(self) -> Polls:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        try:
            self.append(httpx.get(self._url, timeout=70))
        except httpx.HTTPError as error:
            self.append(error)


def test_a_job_goes_the_whole_way_over_http(
    api: Api, http: httpx.Client, job_store: JobStore, client: redis.Redis
) -> None:
    # Given a job, and its client who waits for it
    submitted = post(http)
    assert submitted.status_code == 202
    location = submitted.headers["Location"]
    job_id = submitted.json()["id"]
    with Polls(f"{http.base_url}{location}?wait=60", 3) as polls:
        until(lambda: somebody_waits(client, api))
        # When its worker is done
        play_worker(job_store, job_id)
    # Then the client hears of it
    assert [poll.json()["status"] for poll in polls] == ["succeeded"] * 3
    assert http.get(f"{location}/result", headers={"Accept": "application/x-npz"}).content == result_npz(
        job_store.result(job_id)
    )


def test_bodies_come_whole_or_are_refused(http: httpx.Client, client: redis.Redis) -> None:
    chunked = post(http, content=iter([ROW[:50], ROW[50:]]))
    assert chunked.status_code == 202
    assert client.get(keys.job_input(chunked.json()["id"])) == ROW
    for content in (b"x" * (LIMIT + 1), iter([b"x" * LIMIT] * 3)):
        # The server closes a connection on which it has not read a body.
        refused = post(http, content=content, Connection="close")
        assert (refused.status_code, refused.json()["error"]["type"]) == (413, "body_too_large")


def test_a_client_that_leaves_in_the_middle_submits_nothing(
    api: Api, http: httpx.Client, registry: ModelRegistry
) -> None:
    head = f"POST /v1/models/digits/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: {NPY}\r\nContent-Length: 999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        connection.sendall(head.encode() + ROW)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
    assert registry.queue_state("digits").queued == 0


def test_more_requests_than_threads_are_queued_and_idle_connections_hold_up_nobody(
    api: Api, http: httpx.Client
) -> None:
    idle = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(200)]
    # Left alone, granian closes them after 30 s: an answer only then would be one that had to wait for them.
    began_s = time.monotonic()
    with Polls(f"{api.url}/v1/models", 40) as answers:
        assert http.get("/healthz").status_code == 200
    assert [answer.status_code for answer in answers] == [200] * 40
    assert time.monotonic() - began_s < 20
    for connection in idle:
        connection.close()


def test_long_polls_leave_room_for_others(http: httpx.Client, job_store: JobStore) -> None:
    job_id = post(http).json()["id"]
    with Polls(f"{http.base_url}/v1/jobs/{job_id}?wait=60", 20) as polls:
        until(lambda: len(polls) == 14)
        assert http.get("/healthz").status_code == 200
        play_worker(job_store, job_id)
    assert sorted(poll.json()["status"] for poll in polls) == ["queued"] * 14 + ["succeeded"] * 6


def test_the_log_has_nothing_that_a_client_sent(api: Api, http: httpx.Client) -> None:
    http.get("/v1/models?secret=hush-hush")
    http.get("/hush-hush")
    post(http, content=b"hush-hush")
    assert "hush-hush" not in api.log()
    assert f"Serving at {api.url}" in api.log()


def test_a_second_server_on_the_port_is_refused(api: Api, valkey: Valkey, tmp_path: Path) -> None:
    code, words = Api(tmp_path, PORT=str(api.port), REDIS_URL=valkey.url).refusal()
    assert code == 1
    assert f"Port {api.port} of 127.0.0.1 cannot be listened on" in words
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"CELERIAC_HOST": "0.0.0.0"}, "CELERIAC_API_KEYS"),
        ({"CELERIAC_API_THREADS": "many"}, "CELERIAC_API_THREADS is expected"),
        ({"REDIS_URL": "localhost"}, "REDIS_URL is expected"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_in_a_sentence(
    tmp_path: Path, environment: dict[str, str], words: str
) -> None:
    code, said = Api(tmp_path, **environment).refusal()
    assert code == 2
    assert words in said
    assert "Traceback" not in said


def test_it_waits_for_the_embedded_broker_to_say_where_it_is(valkey: Valkey, tmp_path: Path) -> None:
    api = Api(tmp_path)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            api.process.wait(1.5)
        (tmp_path / "broker").mkdir()
        (tmp_path / "broker" / "url").write_text(valkey.url + "\n")
        api.await_ready()
        assert httpx.get(f"{api.url}/readyz").status_code in (200, 503)
    finally:
        api.stop()


@pytest.fixture(params=[1, 2])
def own_api(request: pytest.FixtureRequest, valkey: Valkey, tmp_path: Path, registry: ModelRegistry) -> Iterator[Api]:
    publish_models(registry)
    processes = str(request.param)
    api = Api(tmp_path, REDIS_URL=valkey.url, CELERIAC_API_PROCESSES=processes).await_ready()
    until(lambda: len(api.family()) == 1 + request.param)
    family = api.family()
    yield api
    for process in family:
        if process.is_running():
            process.kill()
    api.process.wait(10)


def submit_to(api: Api) -> str:
    with httpx.Client(base_url=api.url) as http:
        return str(post(http).json()["id"])


def test_when_stopped_it_answers_long_polls_and_ends(own_api: Api, client: redis.Redis) -> None:
    job_id = submit_to(own_api)
    with Polls(f"{own_api.url}/v1/jobs/{job_id}?wait=60", 1) as polls:
        until(lambda: somebody_waits(client, own_api))
        began_s = time.monotonic()
        own_api.process.terminate()
        assert own_api.process.wait(20) == 0
        assert time.monotonic() - began_s < 4
    assert [(poll.status_code, poll.json()["status"]) for poll in polls] == [(200, "queued")]


def test_when_killed_it_leaves_nothing_behind(own_api: Api, client: redis.Redis) -> None:
    # Given its process and those that serve, with a long poll in hand
    family = own_api.family()
    job_id = submit_to(own_api)
    with Polls(f"{own_api.url}/v1/jobs/{job_id}?wait=60", 1):
        until(lambda: somebody_waits(client, own_api))
        # When the first is killed
        own_api.process.send_signal(signal.SIGKILL)
        own_api.process.wait(5)
        # Then the others end too
        until(lambda: all(not one.is_running() or one.status() == psutil.STATUS_ZOMBIE for one in family))


def test_when_a_serving_process_dies_the_others_end_with_an_error(own_api: Api) -> None:
    _, killed, *others = own_api.family()
    killed.kill()
    assert own_api.process.wait(10) == 1
    until(lambda: not any(process.is_running() for process in others))
