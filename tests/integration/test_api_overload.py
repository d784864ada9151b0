"""Submissions over HTTP that come when a queue or the server's memory is full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from flask.testing import FlaskClient

from api.drain import LONGEST_RETRY_S, USUAL_RETRY_S
from api.services import services_of
from tasks.caps import Caps
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.http_api import error_type, make_http, play_worker, publish_models, submit, until
from tests.stand_in_worker import StandInWorker
from tests.valkey import Valkey, free_port

ROOT = Path(__file__).parents[2]
ROW = {"instances": [[1, 2, 3, 4]]}


@pytest.fixture
def http(client: redis.Redis, registry: ModelRegistry) -> FlaskClient:
    """With room for two jobs of a model."""
    publish_models(registry)
    return make_http(JobStore(client, 3600, Caps(queued_jobs=2)), registry)


@pytest.fixture
def live(client: redis.Redis, registry: ModelRegistry, valkey: Valkey, tmp_path: Path) -> Iterator[httpx.Client]:
    """A server of its own with the same room, by its settings."""
    publish_models(registry)
    port = str(free_port())
    given = {"PORT": port, "REDIS_URL": valkey.url, "CELERIAC_VAR": str(tmp_path), "CELERIAC_API_PROCESSES": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "api"], cwd=ROOT, env=os.environ | given | {"CELERIAC_MAX_QUEUED_JOBS": "2"}
    )

    def answers() -> bool:
        try:
            return http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        try:
            until(answers)
            yield http
        finally:
            process.terminate()
            process.wait(20)


def test_a_full_queue_is_429_with_what_is_full_and_when_to_come_again(http: FlaskClient) -> None:
    jobs = [submit(http) for _ in range(2)]
    answer = http.post("/v1/models/digits/jobs", json=ROW)
    assert error_type(answer, 429) == "queue_full"
    assert "may have 2 queued jobs" in answer.json["error"]["message"]
    assert "it has 2" in answer.json["error"]["message"]
    assert answer.headers["Retry-After"] == str(USUAL_RETRY_S)
    # Another model has room, and so has this one when a job is cancelled
    submit(http, "pairs", json={"inputs": {"a": [[1, 2]], "b": [3]}})
    http.delete(f"/v1/jobs/{jobs[0]}")
    submit(http)


def test_a_job_that_is_stored_is_found_by_its_key_though_the_queue_is_full(http: FlaskClient) -> None:
    key = {"Idempotency-Key": "order-4711"}
    job_id = submit(http, json=ROW, headers=key)
    submit(http)
    assert submit(http, json=ROW, headers=key) == job_id
    assert error_type(http.post("/v1/models/digits/jobs", json=ROW, headers={"Idempotency-Key": "b"}), 429)


def test_the_answer_says_how_many_jobs_are_in_front_of_it_and_when_it_starts(
    job_store: JobStore, registry: ModelRegistry
) -> None:
    publish_models(registry)
    http = make_http(job_store, registry)

    def in_queue(**request: Any) -> tuple[str, int | None, float | None]:
        answer = http.post("/v1/models/digits/jobs", json=ROW, **request).json
        return answer["id"], answer["queue_position"], answer["estimated_start_s"]

    # Given jobs of both lanes
    jobs = [in_queue(query_string=f"lane={lane}") for lane in ("bulk", "interactive", "bulk", "bulk")]
    assert [job[1:] for job in jobs] == [(0, None), (1, None), (2, None), (3, None)]
    # When one is at a worker and one has ended
    play_worker(job_store, jobs[0][0])
    StandInWorker(job_store).start(jobs[1][0])
    # Then both wait no more
    key = {"Idempotency-Key": "order-4711"}
    keyed = in_queue(headers=key)
    assert keyed[1] == 2
    # And one that comes again is told where it is now
    http.delete(f"/v1/jobs/{jobs[2][0]}")
    assert in_queue(headers=key)[:2] == (keyed[0], 1)
    # And when it will start, as soon as that was measured
    rates = services_of(http.application).rates
    rates.sample(now_s=100)
    http.delete(f"/v1/jobs/{jobs[3][0]}")
    rates.sample(now_s=102)
    in_queue()
    assert in_queue()[1:] == (2, 4.0)


def test_memory_that_is_nearly_full_is_429(client: redis.Redis, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(JobStore(client, 3600, Caps(memory_percent=1)), registry)
    client.config_set("maxmemory", client.info("memory")["used_memory"] * 10)
    try:
        answer = http.post("/v1/models/digits/jobs", json=ROW)
    finally:
        client.config_set("maxmemory", 0)
    assert error_type(answer, 429) == "memory_full"
    assert answer.headers["Retry-After"] == "30"


def test_a_server_has_the_caps_of_its_settings_and_measures_how_fast_queues_empty(live: httpx.Client) -> None:
    for _ in range(2):
        assert live.post("/v1/models/digits/jobs", json=ROW).status_code == 202

    def retry_after() -> str:
        answer = live.post("/v1/models/digits/jobs", json=ROW)
        assert answer.status_code == 429
        return answer.headers["Retry-After"]

    assert retry_after() == str(USUAL_RETRY_S)
    # Nobody works, which is seen before long
    until(lambda: retry_after() == str(LONGEST_RETRY_S))
