from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from api.services import services_of
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import error_type, make_http, play_worker, publish_models, submit, until


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


def looks(client: redis.Redis) -> int:
    return int(client.info("commandstats")["cmdstat_hgetall"]["calls"])


def waiters(http: FlaskClient) -> int:
    return services_of(http.application).waiters.held


@pytest.mark.parametrize("wait", ["-1", "60.5", "nan", "inf", "soon", ""])
def test_a_wait_that_is_none_is_400(http: FlaskClient, wait: str) -> None:
    answer = http.get(f"/v1/jobs/{submit(http)}?wait={wait}")
    assert error_type(answer, 400) == "invalid_parameter"
    assert answer.json["error"]["field"] == "wait"
    assert answer.json["error"]["expected"] == "a number of seconds from 0 to 60"
    assert answer.json["error"]["got"] == repr(wait)


def test_a_long_poll_answers_when_the_job_ends(http: FlaskClient, job_store: JobStore) -> None:
    job_id = submit(http)
    with Poll(http, job_id, 60) as poll:
        until(lambda: waiters(http))
        assert not poll.answers
        began_s = time.monotonic()
        play_worker(job_store, job_id)
    assert poll.answers[0].json["status"] == "succeeded"
    assert time.monotonic() - began_s < 3


def test_a_long_poll_outlasts_several_looks_at_the_server(
    http: FlaskClient, job_store: JobStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.finish_listener.LOOK_AGAIN_S", 0.05)
    job_id = submit(http)
    with Poll(http, job_id, 60) as poll:
        before = looks(client)
        until(lambda: looks(client) > before + 6)
        assert not poll.answers
        play_worker(job_store, job_id)
    assert poll.answers[0].json["status"] == "succeeded"


def test_a_long_poll_that_ends_first_answers_the_record_as_it_is(http: FlaskClient) -> None:
    job_id = submit(http)
    began_s = time.monotonic()
    answer = http.get(f"/v1/jobs/{job_id}?wait=0.3")
    assert 0.25 < time.monotonic() - began_s < 5
    assert (answer.status_code, answer.json["status"]) == (200, "queued")


def test_beyond_the_cap_a_poll_answers_at_once(job_store: JobStore, registry: ModelRegistry) -> None:
    # Given one place to wait, and somebody in it
    publish_models(registry)
    http = make_http(job_store, registry, max_waiters=1)
    job_id = submit(http)
    with Poll(http, job_id, 60):
        until(lambda: waiters(http))
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


def test_waiters_leave_a_thread_for_those_who_do_not_wait(job_store: JobStore, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(job_store, registry, max_waiters=48, api_threads=2)
    job_id = submit(http)
    with Poll(http, job_id, 60):
        until(lambda: waiters(http))
        began_s = time.monotonic()
        assert http.get(f"/v1/jobs/{job_id}?wait=60").json["status"] == "queued"
        assert time.monotonic() - began_s < 10
        play_worker(job_store, job_id)
