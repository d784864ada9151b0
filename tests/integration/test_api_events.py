"""GET /v1/jobs/{id}/events, asked over HTTP."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from flask.testing import FlaskClient

from api.services import services_of
from tasks.api_keys import parse_api_keys
from tasks.broker import connect
from tasks.job import new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.api_process import Api
from tests.event_streams import EventStream
from tests.http_api import OLD_ID, error_type, make_http, play_worker, publish_models, submit, until
from tests.stand_in_worker import StandInWorker
from tests.valkey import Valkey

ROW = {"instances": [[1, 2, 3, 4]]}
ONE_PROCESS = {"CELERIAC_API_PROCESSES": "1", "CELERIAC_API_THREADS": "8", "CELERIAC_MAX_WAITERS": "2"}


@pytest.fixture(scope="module")
def api(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server with two places to wait in."""
    api = Api(tmp_path_factory.mktemp("api"), REDIS_URL=valkey.url, **ONE_PROCESS).await_ready()
    yield api
    api.stop()


@pytest.fixture
def models(registry: ModelRegistry) -> None:
    publish_models(registry)


def submit_to(api: Api) -> str:
    return str(httpx.post(f"{api.url}/v1/models/digits/jobs", json=ROW).json()["id"])


def stream(api: Api, job_id: str, **headers: str) -> EventStream:
    return EventStream(f"{api.url}/v1/jobs/{job_id}/events", **headers)


@pytest.mark.usefixtures("models")
def test_a_job_is_followed_from_its_place_in_the_queue_to_its_end(api: Api, job_store: JobStore) -> None:
    # Given a job with two in front of it
    first, second, watched = submit_to(api), submit_to(api), submit_to(api)
    worker = StandInWorker(job_store)
    with stream(api, watched) as told:
        until(lambda: told.ids == ["queued-2"])
        # When those in front are taken, cancelled, run, and then it is its turn
        started = worker.start(first)
        until(lambda: told.ids[1:] == ["queued-1"])
        job_store.cancel(second)
        until(lambda: told.ids[2:] == ["queued-0"])
        worker.succeed(started, {})
        own = worker.start(watched)
        until(lambda: told.ids[3:] == ["running-1"])
        # And its first worker dies, and a second one has it
        own = worker.start(watched)
        until(lambda: told.ids[4:] == ["running-2"])
        worker.succeed(own, {})
        # Then the stream ends with its end
        assert told.wait(5)
    assert (told.error, told.ids[5:], told.retry_ms) == (None, ["succeeded"], 1000)
    assert {(data["id"], data["status"]) for _, data in told.events} == {
        (watched, status) for status in ("queued", "running", "succeeded")
    }
    assert [data["queue_position"] for _, data in told.events] == [2, 1, 0, None, None, None]
    assert all("result" not in data and "estimated_start_s" in data for _, data in told.events)


def test_the_end_does_not_wait_for_the_next_look(
    http: FlaskClient, job_store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.job_events.LOOK_EVERY_S", 60)
    monkeypatch.setattr("tasks.finish_listener.LOOK_AGAIN_S", 60)
    job_id = submit(http)
    chunks = iter(http.get(f"/v1/jobs/{job_id}/events").response)
    assert [next(chunks)[:6], next(chunks)[:13]] == [b"retry:", b"event: status"]
    play_worker(job_store, job_id)
    assert b"id: succeeded\n" in next(chunks)
    assert next(chunks, None) is None


def test_a_job_that_has_ended_gives_its_end_and_204_to_whoever_has_had_it(
    http: FlaskClient, job_store: JobStore
) -> None:
    job_id = submit(http)
    play_worker(job_store, job_id)
    url = f"/v1/jobs/{job_id}/events"
    answer = http.get(url, headers={"Last-Event-ID": "running-1"}, buffered=True)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
    assert answer.text.startswith("retry: 1000\n\nevent: status\nid: succeeded\ndata: {")
    assert answer.text.endswith("}\n\n")
    again = http.get(url, headers={"Last-Event-ID": "succeeded"}, buffered=True)
    assert (again.status_code, again.data) == (204, b"")
    assert services_of(http.application).waiters.held == 0


def test_a_paused_model_is_told(http: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.pauses.KEEP_S", 0.1)
    job_id = submit(http)
    chunks = iter(http.get(f"/v1/jobs/{job_id}/events").response)
    assert b"id: queued-0\n" in next(chunks) + next(chunks)
    for action, told in (("pause", b"id: queued-0-paused\n"), ("resume", b"id: queued-0\n")):
        assert http.post(f"/v1/models/digits:{action}").status_code == 200
        changed = next(chunks)
        assert told in changed
        assert (b'"paused":true' in changed) == (action == "pause")


@pytest.mark.usefixtures("models")
def test_who_comes_again_is_told_only_what_is_new(api: Api, job_store: JobStore) -> None:
    job_id = submit_to(api)
    with stream(api, job_id, **{"Last-Event-ID": "queued-0"}) as told:
        until(lambda: told.comments)
        assert told.events == []
        play_worker(job_store, job_id)
        assert told.wait(5)
    assert told.ids[-1] == "succeeded"


def test_a_job_that_nobody_may_see_has_no_events(
    http: FlaskClient, job_store: JobStore, registry: ModelRegistry
) -> None:
    for job_id, status, kind in (
        (new_job_id(), 404, "job_not_found"),
        ("none", 404, "job_not_found"),
        (OLD_ID, 410, "job_gone"),
    ):
        assert error_type(http.get(f"/v1/jobs/{job_id}/events"), status) == kind
    job_id = submit(http)
    closed = make_http(job_store, registry, api_keys=parse_api_keys("ann:k,bob:l"))
    assert error_type(closed.get(f"/v1/jobs/{job_id}/events"), 401) == "unauthorized"
    assert error_type(closed.get(f"/v1/jobs/{job_id}/events", headers={"X-API-Key": "l"}), 404) == "job_not_found"
    assert services_of(closed.application).waiters.held == 0


@pytest.mark.usefixtures("models")
def test_beyond_the_cap_a_stream_has_the_job_as_it_is_and_a_client_that_leaves_makes_room(api: Api) -> None:
    job_id = submit_to(api)

    def retry_ms() -> int | None:
        with stream(api, job_id) as told:
            until(lambda: told.events)
            return told.retry_ms

    # Given as many streams as there are places
    with stream(api, job_id) as one, socket.create_connection(("127.0.0.1", api.port)) as other:
        other.sendall(f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: one.events and b"queued-0" in other.recv(65_536, socket.MSG_PEEK))
        # Then one more is told how the job is, and that it had better come later
        with stream(api, job_id) as third:
            assert third.wait(5)
        assert (third.status, third.ids, third.retry_ms, third.error) == (200, ["queued-0"], 5000, None)
        # When one leaves without a word
        left_s = time.monotonic()
        other.close()
        # Then its place is free soon
        until(lambda: retry_ms() == 1000)
        assert time.monotonic() - left_s < 5


def test_a_request_for_the_headers_alone_holds_no_place(http: FlaskClient) -> None:
    assert http.head(f"/v1/jobs/{submit(http)}/events", buffered=True).status_code == 200
    assert services_of(http.application).waiters.held == 0


def test_a_stream_has_its_time_and_then_the_client_comes_again(
    http: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.job_events.MAX_WAIT_S", 1)
    monkeypatch.setattr("api.job_events.KEEP_ALIVE_S", 0.2)
    answer = http.get(f"/v1/jobs/{submit(http)}/events")
    assert [answer.text.count(text) for text in ("retry: 1000\n", "id: queued-0\n")] == [1, 1]
    assert answer.text.count(": still there\n\n") in (1, 2)


def test_a_record_that_is_no_more_ends_the_stream(http: FlaskClient, job_store: JobStore) -> None:
    job_id = submit(http)
    chunks = iter(http.get(f"/v1/jobs/{job_id}/events").response)
    assert b"queued-0" in next(chunks) + next(chunks)
    job_store._redis.flushall()
    assert next(chunks, None) is None


def test_when_the_server_is_stopped_its_streams_end_at_once(
    valkey: Valkey, registry: ModelRegistry, tmp_path: Path
) -> None:
    publish_models(registry)
    api = Api(tmp_path, REDIS_URL=valkey.url, **ONE_PROCESS).await_ready()
    with stream(api, submit_to(api)) as told:
        until(lambda: told.events)
        began_s = time.monotonic()
        api.process.send_signal(signal.SIGTERM)
        assert told.wait(10)
        assert api.process.wait(20) == 0
        assert time.monotonic() - began_s < 4
    assert (told.ids, told.error) == (["queued-0"], None)


def test_a_broker_that_goes_and_comes_back_does_not_end_a_stream(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path)
    valkey.start()
    client = connect(valkey.url)
    publish_models(ModelRegistry(client))
    api = Api(tmp_path, REDIS_URL=valkey.url, **ONE_PROCESS).await_ready()
    try:
        job_id = submit_to(api)
        with stream(api, job_id) as told:
            until(lambda: told.events)
            # When the broker is away, the stream goes on
            valkey.stop()
            before = told.comments
            until(lambda: told.comments > before + 1)
            # And who comes now is told so
            late = httpx.get(f"{api.url}/v1/jobs/{job_id}/events")
            assert (late.status_code, late.json()["error"]["type"]) == (503, "broker_unavailable")
            # And when it is back, so is the news
            valkey.start()
            play_worker(JobStore(client, 3600), job_id)
            assert told.wait(10)
        assert (told.ids[-1], told.error) == ("succeeded", None)
    finally:
        api.stop()
        client.close()
        valkey.stop()
