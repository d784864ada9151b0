"""Many jobs in one request: what becomes of each, whatever the others are."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
import redis
from flask.testing import FlaskClient

from tasks import keys
from tasks.api_keys import parse_api_keys
from tasks.caps import Caps
from tasks.job import Status
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.picture_list import unpack_pictures
from tests.http_api import (
    NPY,
    NPZ,
    WORKER,
    card,
    error_type,
    make_http,
    npy,
    npz,
    play_worker,
    png,
    publish_models,
    submit,
)

JSONL = "application/jsonl"
FORM = "multipart/form-data"
ROW = [1, 2, 3, 4]
KEY = "night-4711"


def post(http: FlaskClient, data: Any, content_type: str, query: str = "", model: str = "digits", key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    path = f"/v1/models/{model}/jobs:bulk"
    return http.post(path, data=data, content_type=content_type, query_string=query, headers=headers)


def lines(*documents: Any) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else orjson.dumps(one) for one in documents)


def form(*pictures: bytes, **values: str) -> dict[str, Any]:
    return {"image": [(io.BytesIO(picture), "p.png") for picture in pictures], **values}


def stored(client: redis.Redis, job_id: str) -> Any:
    """A job's input."""
    return np.load(io.BytesIO(client.get(keys.job_input(job_id))), allow_pickle=False)


def places(answer: Any) -> list[tuple[int, int, str]]:
    """Index, rows and status, or the error's type, of each item."""
    assert answer.status_code == 202, answer.text
    items = answer.json["jobs"]
    taken = sum("id" in item for item in items)
    assert (answer.json["accepted"], answer.json["refused"]) == (taken, len(items) - taken)
    return [(item["index"], item["rows"], item.get("status") or item["error"]["type"]) for item in items]


def unfinished(client: redis.Redis, model: str = "digits") -> int:
    return client.zcard(keys.unfinished(model))


@pytest.fixture
def capped(client: redis.Redis, registry: ModelRegistry) -> Callable[..., FlaskClient]:
    """Applications whose queues hold only so much."""
    publish_models(registry)
    return lambda **caps: make_http(JobStore(client, 3600, Caps(**caps)), registry)


def test_each_row_of_an_array_is_a_job_and_has_its_place_in_the_request(
    http: FlaskClient, job_store: JobStore, client: redis.Redis
) -> None:
    rows = np.arange(20, dtype="float32").reshape(5, 4)
    answer = post(http, npy(rows), NPY, "lane=bulk&tag=night")
    assert places(answer) == [(i, 1, "queued") for i in range(5)]
    for row, told in zip(rows, answer.json["jobs"], strict=True):
        job = job_store.get(told["id"])
        assert (job.rows, job.lane, job.tag, job.status) == (1, "bulk", "night", Status.QUEUED)
        assert np.array_equal(stored(client, told["id"]), [row])


@pytest.mark.parametrize("content_type", [NPY, NPZ, JSONL, "application/x-ndjson"])
def test_rows_per_job_cuts_the_rows_and_the_last_job_has_the_rest(
    http: FlaskClient, client: redis.Redis, content_type: str
) -> None:
    rows = np.arange(28, dtype="float32").reshape(7, 4)
    body = lines(*({"inputs": {"x": row.tolist()}} for row in rows))
    body = {NPY: npy(np.asfortranarray(rows)), NPZ: npz(x=rows)}.get(content_type, body)
    answer = post(http, body, content_type, "rows_per_job=3")
    assert places(answer) == [(0, 3, "queued"), (3, 3, "queued"), (6, 1, "queued")]
    assert np.array_equal(np.concatenate([stored(client, job["id"]) for job in answer.json["jobs"]]), rows)


def test_several_inputs_are_cut_at_the_same_rows(http: FlaskClient, client: redis.Redis) -> None:
    a, b = np.arange(10, dtype="float32").reshape(5, 2), np.arange(5, dtype="int32")
    documents = [{"instance": {"a": a[i].tolist(), "b": int(b[i])}} for i in range(5)]
    for answer in (
        post(http, npz(a=a, b=b), NPZ, "rows_per_job=2", "pairs"),
        post(http, lines(*documents), JSONL, "rows_per_job=2", "pairs"),
    ):
        assert places(answer) == [(0, 2, "queued"), (2, 2, "queued"), (4, 1, "queued")]
        second = stored(client, answer.json["jobs"][1]["id"])
        assert np.array_equal(second["a"], a[2:4])
        assert np.array_equal(second["b"], b[2:4])


def test_an_input_without_rows_goes_with_each_job_and_is_shared_by_equal_lines_only(
    http: FlaskClient, registry: ModelRegistry, client: redis.Redis
) -> None:
    inputs = {"x": {"dtype": "float32", "shape": [None, 2]}, "limit": {"dtype": "float32", "shape": []}}
    registry.publish_ready(card("limited", inputs=inputs), replace(WORKER, name="limited@host"))
    array = npz(x=np.ones((3, 2), "float32"), limit=np.float32(0.5))
    for job in post(http, array, NPZ, model="limited").json["jobs"]:
        assert stored(client, job["id"])["limit"] == 0.5
    documents = [{"inputs": {"x": [1, 2], "limit": limit}} for limit in (0.5, 0.5, 0.5, 0.7)]
    answer = post(http, lines(*documents), JSONL, "rows_per_job=4", "limited")
    assert places(answer) == [(0, 2, "queued"), (2, 1, "queued"), (3, 1, "queued")]


def test_a_model_of_a_fixed_number_of_rows_gets_that_many_and_no_rest(
    http: FlaskClient, registry: ModelRegistry
) -> None:
    inputs = {"x": {"dtype": "float32", "shape": [3, 2]}}
    registry.publish_ready(card("three", inputs=inputs), replace(WORKER, name="three@host"))
    rows = np.ones((8, 2), "float32")
    expected = [(0, 3, "queued"), (3, 3, "queued"), (6, 2, "invalid_input")]
    assert places(post(http, npy(rows), NPY, model="three")) == expected
    assert places(post(http, lines(*({"instance": [1, 2]} for _ in rows)), JSONL, model="three")) == expected
    answer = post(http, npy(rows), NPY, "rows_per_job=2", "three")
    assert error_type(answer, 400) == "invalid_parameter"
    assert answer.json["error"]["expected"] == "3, as many rows as the model takes"


def test_a_bad_line_costs_no_other_and_each_is_called_what_its_client_calls_it(http: FlaskClient) -> None:
    body = lines(
        {"id": "a", "instance": ROW},
        {"instance": ROW},
        {"id": "c", "instance": [1, 2]},
        b"",
        {"id": "d", "inputs": ROW},
        b"{",
        {"id": 5, "instance": ROW},
        {"id": "g", "instance": ROW, "inputs": ROW},
        {"instance": ROW, "tag": "t"},
        b"[1]",
        {"instance": [1, 2, 3, None]},
        {"id": "k", "instance": {"x": ROW}},
    )
    answer = post(http, body + b"\n\n", JSONL, "rows_per_job=4")
    assert places(answer) == [
        (0, 2, "queued"),
        (2, 1, "invalid_input"),
        (3, 1, "queued"),
        (4, 1, "malformed_json"),
        (5, 1, "invalid_body"),
        (6, 1, "invalid_body"),
        (7, 1, "invalid_body"),
        (8, 1, "invalid_body"),
        (9, 1, "invalid_input"),
        (10, 1, "queued"),
    ]
    assert [item.get("line_ids") for item in answer.json["jobs"]] == [
        *(["a", None], ["c"], ["d"], None, None, ["g"], None, None, None, ["k"])
    ]
    assert answer.json["jobs"][1]["error"]["field"] == "inputs.x"


def test_lines_of_different_shapes_are_several_jobs(http: FlaskClient, registry: ModelRegistry) -> None:
    inputs = {"text": {"dtype": "string", "shape": [None]}, "x": {"dtype": "float32", "shape": [None, None]}}
    registry.publish_ready(card("texts", inputs=inputs), replace(WORKER, name="texts@host"))
    rows = [("a", [1]), ("bcd", [1]), ("e", [1, 2]), ("f" * 500, [1, 2])]
    body = lines(*({"inputs": {"text": text, "x": x}} for text, x in rows))
    assert places(post(http, body, JSONL, "rows_per_job=4", "texts")) == [(0, 2, "queued"), (2, 2, "queued")]


def test_pictures_are_rows_and_a_damaged_one_costs_no_other(http: FlaskClient, client: redis.Redis) -> None:
    pictures = [png(8 + i) for i in range(8)]
    damaged = [*pictures[:7], b"no picture"]
    assert places(post(http, form(*damaged), FORM, model="boxes")) == [
        *((i, 1, "queued") for i in range(7)),
        (7, 1, "invalid_picture"),
    ]
    answer = post(http, form(*damaged, lane="bulk", rows_per_job="8", annotate="true"), FORM, model="boxes")
    assert places(answer) == [(0, 4, "queued"), (4, 2, "queued"), (6, 1, "queued"), (7, 1, "invalid_picture")]
    taken = [client.get(keys.job_input(item["id"])) for item in answer.json["jobs"][:3]]
    assert [*unpack_pictures(taken[0]), *unpack_pictures(taken[1]), taken[2]] == pictures[:7]


def test_pictures_that_are_too_many_pixels_together_are_more_jobs(job_store: JobStore, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(job_store, registry, max_image_pixels=100)
    pictures = [png(10, 5)] * 4 + [png(10, 11)] + [png(2, 2)] * 3
    answer = post(http, form(*pictures), FORM, "rows_per_job=8", "boxes")
    assert places(answer) == [
        (0, 2, "queued"),
        (2, 2, "queued"),
        (4, 1, "invalid_picture"),
        (5, 1, "queued"),
        (6, 2, "queued"),
    ]


def test_the_same_request_with_the_same_key_finds_its_jobs_as_they_are_now(
    http: FlaskClient, job_store: JobStore, client: redis.Redis
) -> None:
    body = npy(np.ones((3, 4)))
    first = post(http, body, NPY, key=KEY).json["jobs"]
    play_worker(job_store, first[1]["id"])
    again = post(http, body, NPY, key=KEY)
    assert places(again) == [(0, 1, "queued"), (1, 1, "succeeded"), (2, 1, "queued")]
    assert [item["id"] for item in again.json["jobs"]] == [item["id"] for item in first]
    assert unfinished(client) == 2
    # And the key is another one for a single job, and for rows that are others
    single = http.post("/v1/models/digits/jobs", data=npy([ROW]), content_type=NPY, headers={"Idempotency-Key": KEY})
    assert single.status_code == 202
    rows = np.ones((3, 4))
    rows[2] = 5
    assert [place[2] for place in places(post(http, npy(rows), NPY, key=KEY))] == [
        *("queued", "succeeded", "idempotency_key_reused")
    ]
    assert {item["error"]["type"] for item in post(http, npy(rows * 7), NPY, key=KEY).json["jobs"]} == {
        "idempotency_key_reused"
    }


def test_equal_rows_of_one_request_are_jobs_of_their_own_also_with_a_key(
    http: FlaskClient, client: redis.Redis
) -> None:
    post(http, npy(np.ones((5, 4))), NPY, key=KEY)
    assert unfinished(client) == 5


def test_a_queue_that_becomes_full_takes_the_first_and_tells_of_the_rest(
    capped: Callable[..., FlaskClient], client: redis.Redis
) -> None:
    body = npy(np.ones((700, 4)))
    answer = post(capped(queued_jobs=250), body, NPY, key=KEY)
    assert places(answer) == [(i, 1, "queued" if i < 250 else "queue_full") for i in range(700)]
    assert 1 <= int(answer.headers["Retry-After"]) <= 300
    # When there is room again, the same request brings the rest
    again = post(capped(queued_jobs=700), body, NPY, key=KEY)
    assert places(again) == [(i, 1, "queued") for i in range(700)]
    assert [item["id"] for item in again.json["jobs"][:250]] == [item["id"] for item in answer.json["jobs"][:250]]
    assert unfinished(client) == 700


def test_a_queue_that_is_full_is_429_as_for_one_job(capped: Callable[..., FlaskClient]) -> None:
    http = capped(queued_jobs=1)
    submit(http)
    answer = post(http, lines({"instance": [1]}, {"instance": ROW}), JSONL)
    assert error_type(answer, 429) == "queue_full"
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize(
    ("model", "body", "content_type", "query", "status", "type_"),
    [
        ("none", npy([ROW]), NPY, "", 404, "model_not_found"),
        ("digits", npy([ROW])[:-1], NPY, "", 400, "invalid_input"),
        ("digits", npz(x=[ROW])[:-9], NPZ, "", 400, "invalid_input"),
        ("digits", npy(np.ones((0, 4))), NPY, "", 400, "invalid_input"),
        ("digits", npy(np.ones((9, 3))), NPY, "", 400, "invalid_input"),
        ("digits", npy(1.0), NPY, "", 400, "invalid_input"),
        ("digits", npy(np.ones((10_001, 4))), NPY, "", 400, "invalid_body"),
        ("digits", b"\n" * 5, JSONL, "", 400, "invalid_body"),
        ("digits", b"1\n" * 10_001, JSONL, "rows_per_job=1000", 400, "invalid_body"),
        ("digits", b'{"instances": []}', "application/json", "", 415, "unsupported_media_type"),
        ("digits", npy([ROW]), NPY, "rows_per_job=0", 400, "invalid_parameter"),
        ("digits", npy([ROW]), NPY, "rows_per_job=1.5", 400, "invalid_parameter"),
        ("digits", npy([ROW]), NPY, "rows_per_job=1&rows_per_job=2", 400, "invalid_parameter"),
        ("digits", npy([ROW]), NPY, "rows_per_job=1000001", 400, "invalid_parameter"),
        ("digits", npy([ROW]), NPY, "min_score=0.5", 400, "invalid_parameter"),
        ("digits", npy([ROW]), NPY, "signature=none", 400, "invalid_parameter"),
        ("pairs", npz(a=np.ones((2, 2), "float32"), b=np.ones(3, "int32")), NPZ, "", 400, "invalid_input"),
        ("digits", form(png()), FORM, "", 415, "unsupported_media_type"),
        ("boxes", form(), FORM, "", 400, "invalid_input"),
        ("boxes", form(png()), FORM, "rows_per_job=65", 400, "invalid_parameter"),
        ("boxes", form(png(), colour="red"), FORM, "", 400, "invalid_parameter"),
    ],
)
def test_what_is_wrong_with_the_whole_request_is_4xx_and_stores_nothing(
    http: FlaskClient,
    client: redis.Redis,
    model: str,
    body: Any,
    content_type: str,
    query: str,
    status: int,
    type_: str,
) -> None:
    assert error_type(post(http, body, content_type, query, model), status) == type_
    assert not client.keys("celeriac:job:*")


def test_more_pictures_than_a_request_may_have_are_413_with_the_limit(http: FlaskClient) -> None:
    answer = post(http, form(*([b""] * 2_020)), FORM, model="boxes")
    assert error_type(answer, 413) == "body_too_large"
    assert "2016 parts" in answer.json["error"]["message"]
    assert post(http, form(*([png()] * 100)), FORM, model="boxes").json["accepted"] == 100


def test_jobs_for_a_version_have_that_one(http: FlaskClient, job_store: JobStore) -> None:
    answer = http.post("/v1/models/boxes/versions/3/jobs:bulk", data=form(png()), content_type=FORM)
    job = job_store.get(answer.json["jobs"][0]["id"])
    assert (job.version, job.pinned) == (3, True)
    answer = http.post("/v1/models/boxes/versions/4/jobs:bulk", data=form(png()), content_type=FORM)
    assert error_type(answer, 404) == "version_not_found"


def test_the_jobs_belong_to_who_sent_them(job_store: JobStore, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(job_store, registry, api_keys=parse_api_keys("ann:a,bob:b"))
    http.environ_base["HTTP_X_API_KEY"] = "b"
    (item,) = post(http, npy([ROW]), NPY).json["jobs"]
    assert job_store.get(item["id"]).owner == "bob"


def test_a_thousand_rows_cost_five_round_trips(http: FlaskClient, client: redis.Redis) -> None:
    before = client.info("commandstats")["cmdstat_evalsha"]["calls"] if submit(http) else 0
    post(http, npy(np.ones((1000, 4))), NPY)
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - before == 5
