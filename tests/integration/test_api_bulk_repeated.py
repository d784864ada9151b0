"""Many jobs in one request that comes again, or when the queue becomes full."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import redis
from flask.testing import FlaskClient

from tasks.caps import Caps
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.bulk_requests import JSONL, ROW, lines, places, post_bulk, unfinished
from tests.http_api import NPY, error_type, make_http, npy, play_worker, publish_models, submit

KEY = "night-4711"


@pytest.fixture
def capped(client: redis.Redis, registry: ModelRegistry) -> Callable[..., FlaskClient]:
    """Applications whose queues hold only so much."""
    publish_models(registry)
    return lambda **caps: make_http(JobStore(client, 3600, Caps(**caps)), registry)


def test_the_same_request_with_the_same_key_finds_its_jobs_as_they_are_now(
    http: FlaskClient, job_store: JobStore, client: redis.Redis
) -> None:
    body = npy(np.ones((3, 4)))
    first = post_bulk(http, body, NPY, key=KEY).json["jobs"]
    play_worker(job_store, first[1]["id"])
    again = post_bulk(http, body, NPY, key=KEY)
    assert places(again) == [(0, 1, "queued"), (1, 1, "succeeded"), (2, 1, "queued")]
    assert [item["id"] for item in again.json["jobs"]] == [item["id"] for item in first]
    assert unfinished(client) == 2
    # And the key is another one for a single job, and for rows that are others
    single = http.post("/v1/models/digits/jobs", data=npy([ROW]), content_type=NPY, headers={"Idempotency-Key": KEY})
    assert single.status_code == 202
    rows = np.ones((3, 4))
    rows[2] = 5
    assert [place[2] for place in places(post_bulk(http, npy(rows), NPY, key=KEY))] == [
        *("queued", "succeeded", "idempotency_key_reused")
    ]
    assert {item["error"]["type"] for item in post_bulk(http, npy(rows * 7), NPY, key=KEY).json["jobs"]} == {
        "idempotency_key_reused"
    }


def test_equal_rows_of_one_request_are_jobs_of_their_own_also_with_a_key(
    http: FlaskClient, client: redis.Redis
) -> None:
    post_bulk(http, npy(np.ones((5, 4))), NPY, key=KEY)
    assert unfinished(client) == 5


def test_a_queue_that_becomes_full_takes_the_first_and_tells_of_the_rest(
    capped: Callable[..., FlaskClient], client: redis.Redis
) -> None:
    body = npy(np.ones((700, 4)))
    answer = post_bulk(capped(queued_jobs=250), body, NPY, key=KEY)
    assert places(answer) == [(i, 1, "queued" if i < 250 else "queue_full") for i in range(700)]
    assert 1 <= int(answer.headers["Retry-After"]) <= 300
    # When there is room again, the same request brings the rest
    again = post_bulk(capped(queued_jobs=700), body, NPY, key=KEY)
    assert places(again) == [(i, 1, "queued") for i in range(700)]
    assert [item["id"] for item in again.json["jobs"][:250]] == [item["id"] for item in answer.json["jobs"][:250]]
    assert unfinished(client) == 700


def test_a_queue_that_is_full_is_429_as_for_one_job(capped: Callable[..., FlaskClient]) -> None:
    http = capped(queued_jobs=1)
    submit(http)
    answer = post_bulk(http, lines({"instance": [1]}, {"instance": ROW}), JSONL)
    assert error_type(answer, 429) == "queue_full"
    assert answer.headers["Retry-After"]
