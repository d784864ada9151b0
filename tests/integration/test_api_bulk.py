"""Many jobs in one request: what becomes of each, whatever the others are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import redis
from flask.testing import FlaskClient

from model_store.byte_strings import unpack
from tasks import keys
from tasks.api_keys import parse_api_keys
from tasks.job import Status
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.picture_list import unpack_pictures
from tests.bulk_requests import FORM, JSONL, ROW, form, lines, places, post_bulk, stored
from tests.http_api import NPY, NPZ, WORKER, card, error_type, make_http, npy, npz, png, publish_models, submit


def test_each_row_of_an_array_is_a_job_and_has_its_place_in_the_request(
    http: FlaskClient, job_store: JobStore, client: redis.Redis
) -> None:
    rows = np.arange(20, dtype="float32").reshape(5, 4)
    answer = post_bulk(http, npy(rows), NPY, "lane=bulk&tag=night")
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
    answer = post_bulk(http, body, content_type, "rows_per_job=3")
    assert places(answer) == [(0, 3, "queued"), (3, 3, "queued"), (6, 1, "queued")]
    assert np.array_equal(np.concatenate([stored(client, job["id"]) for job in answer.json["jobs"]]), rows)


def test_several_inputs_are_cut_at_the_same_rows(http: FlaskClient, client: redis.Redis) -> None:
    a, b = np.arange(10, dtype="float32").reshape(5, 2), np.arange(5, dtype="int32")
    documents = [{"instance": {"a": a[i].tolist(), "b": int(b[i])}} for i in range(5)]
    for answer in (
        post_bulk(http, npz(a=a, b=b), NPZ, "rows_per_job=2", "pairs"),
        post_bulk(http, lines(*documents), JSONL, "rows_per_job=2", "pairs"),
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
    for job in post_bulk(http, array, NPZ, model="limited").json["jobs"]:
        assert stored(client, job["id"])["limit"] == 0.5
    documents = [{"inputs": {"x": [1, 2], "limit": limit}} for limit in (0.5, 0.5, 0.5, 0.7)]
    answer = post_bulk(http, lines(*documents), JSONL, "rows_per_job=4", "limited")
    assert places(answer) == [(0, 3, "queued"), (3, 1, "queued")]
    # And where no input has rows, each line is a job
    registry.publish_ready(card("scalar", inputs={"s": inputs["limit"]}), replace(WORKER, name="scalar@host"))
    assert places(post_bulk(http, lines(*[{"instance": 1}] * 2), JSONL, "rows_per_job=2", "scalar")) == [
        (0, 1, "queued"),
        (1, 1, "queued"),
    ]
    assert places(post_bulk(http, npy(1), NPY, "rows_per_job=2", "scalar")) == [(0, 1, "queued")]


def test_a_model_of_a_fixed_number_of_rows_gets_that_many_and_no_rest(
    http: FlaskClient, registry: ModelRegistry
) -> None:
    inputs = {"x": {"dtype": "float32", "shape": [3, 2]}}
    registry.publish_ready(card("three", inputs=inputs), replace(WORKER, name="three@host"))
    rows = np.ones((8, 2), "float32")
    expected = [(0, 3, "queued"), (3, 3, "queued"), (6, 2, "invalid_input")]
    assert places(post_bulk(http, npy(rows), NPY, model="three")) == expected
    assert places(post_bulk(http, lines(*({"instance": [1, 2]} for _ in rows)), JSONL, model="three")) == expected
    answer = post_bulk(http, npy(rows), NPY, "rows_per_job=2", "three")
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
    answer = post_bulk(http, body + b"\n\n", JSONL, "rows_per_job=4")
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


def test_lines_of_different_shapes_are_several_jobs(
    http: FlaskClient, registry: ModelRegistry, client: redis.Redis
) -> None:
    inputs = {"text": {"dtype": "string", "shape": [None]}, "x": {"dtype": "float32", "shape": [None, None]}}
    registry.publish_ready(card("texts", inputs=inputs), replace(WORKER, name="texts@host"))
    rows = [("a", [1]), ("bcd", [1]), ("e", [1, 2]), ("f" * 500, [1, 2]), ({"b64": "/wA="}, [1, 2])]
    body = lines(*({"inputs": {"text": text, "x": x}} for text, x in rows))
    answer = post_bulk(http, body, JSONL, "rows_per_job=4", "texts")
    assert places(answer) == [(0, 2, "queued"), (2, 3, "queued")]
    assert stored(client, answer.json["jobs"][0]["id"])["text"].tolist() == ["a", "bcd"]
    texts = unpack(stored(client, answer.json["jobs"][1]["id"])["text"]).tolist()
    assert texts == [b"e", b"f" * 500, b"\xff\0"]


def test_lines_that_need_too_much_together_are_several_jobs_and_one_alone_is_refused(
    job_store: JobStore, registry: ModelRegistry
) -> None:
    inputs = {"text": {"dtype": "string", "shape": [None]}}
    registry.publish_ready(card("texts", inputs=inputs), replace(WORKER, name="texts@host"))
    http = make_http(job_store, registry, max_body_bytes=10_000)
    # numpy's text has four bytes a character, and as many characters in each row as the longest has
    body = lines(*({"instance": text} for text in ["a"] * 100 + ["b" * 1_000] + ["c"] * 3 + ["d" * 3_000]))
    answer = post_bulk(http, body, JSONL, "rows_per_job=200", "texts")
    assert places(answer) == [(0, 100, "queued"), (100, 2, "queued"), (102, 2, "queued"), (104, 1, "invalid_input")]


def test_pictures_are_rows_and_a_damaged_one_costs_no_other(http: FlaskClient, client: redis.Redis) -> None:
    pictures = [png(8 + i) for i in range(8)]
    damaged = [*pictures[:3], b"no picture", *pictures[4:]]
    answer = post_bulk(http, form(*damaged), FORM, model="boxes")
    assert places(answer) == [(i, 1, "invalid_picture" if i == 3 else "queued") for i in range(8)]
    answer = post_bulk(http, form(*damaged, lane="bulk", rows_per_job="8", annotate="true"), FORM, model="boxes")
    assert places(answer) == [(0, 3, "queued"), (3, 1, "invalid_picture"), (4, 4, "queued")]
    taken = [client.get(keys.job_input(answer.json["jobs"][i]["id"])) for i in (0, 2)]
    assert [*unpack_pictures(taken[0]), *unpack_pictures(taken[1])] == pictures[:3] + pictures[4:]


def test_pictures_that_are_too_many_pixels_together_are_more_jobs(job_store: JobStore, registry: ModelRegistry) -> None:
    publish_models(registry)
    http = make_http(job_store, registry, max_image_pixels=100)
    pictures = [png(10, 5)] * 4 + [png(10, 11)] + [png(2, 2)] * 3
    answer = post_bulk(http, form(*pictures), FORM, "rows_per_job=8", "boxes")
    assert places(answer) == [
        (0, 2, "queued"),
        (2, 2, "queued"),
        (4, 1, "invalid_picture"),
        (5, 3, "queued"),
    ]


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
    assert error_type(post_bulk(http, body, content_type, query, model), status) == type_
    assert not client.keys("celeriac:job:*")


def test_more_pictures_than_a_request_may_have_are_refused_with_the_limit(http: FlaskClient) -> None:
    answer = post_bulk(http, form(*([b"x"] * 2_020)), FORM, model="boxes")
    assert error_type(answer, 413) == "body_too_large"
    assert "2016 parts" in answer.json["error"]["message"]
    answer = post_bulk(http, form(*([b"x"] * 2_001)), FORM, model="boxes")
    assert error_type(answer, 400) == "invalid_body"
    assert "at most 2000 pictures" in answer.json["error"]["message"]
    assert post_bulk(http, form(*([png()] * 100)), FORM, model="boxes").json["accepted"] == 100


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
    (item,) = post_bulk(http, npy([ROW]), NPY).json["jobs"]
    assert job_store.get(item["id"]).owner == "bob"


def test_a_thousand_rows_cost_five_round_trips(http: FlaskClient, client: redis.Redis) -> None:
    before = client.info("commandstats")["cmdstat_evalsha"]["calls"] if submit(http) else 0
    post_bulk(http, npy(np.ones((1000, 4))), NPY)
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - before == 5
