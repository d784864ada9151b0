"""Several pictures in one job, as the API takes them and as it answers them."""

from __future__ import annotations

import io
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.picture_list import PICTURES, unpack_pictures
from tests.http_api import WORKER, card, error, make_http, play_worker, png, publish_models, stored_input, submit


def form_of(pictures: list[bytes]) -> dict[str, Any]:
    return {"image": [(io.BytesIO(picture), f"{index}.png") for index, picture in enumerate(pictures)]}


def test_several_pictures_of_a_form_are_the_rows_of_one_job(
    http: FlaskClient, job_store: JobStore, client: redis.Redis
) -> None:
    pictures = [png(8, 6), png(5, 9), png(8, 6)]
    job_id = submit(http, "boxes", data=form_of(pictures) | {"max_detections": "7"})
    job = job_store.get(job_id)
    assert (job.rows, job.content_type, job.max_detections) == (3, PICTURES, 7)
    assert unpack_pictures(stored_input(client, job_id)) == pictures


def test_of_several_pictures_the_one_that_is_none_is_named(http: FlaskClient) -> None:
    answer = http.post("/v1/models/boxes/jobs", data=form_of([png(), b"no picture"]))
    assert error(answer) == (400, "invalid_picture", "image")
    assert answer.json["error"]["message"].startswith("Picture 1, counted from 0: The 10 bytes are no picture")


def test_several_pictures_have_as_many_pixels_as_one_may_have(job_store: JobStore, registry: ModelRegistry) -> None:
    small = make_http(job_store, registry, max_image_pixels=100)
    publish_models(registry)
    assert small.post("/v1/models/boxes/jobs", data=form_of([png(8, 6)] * 2)).status_code == 202
    answer = small.post("/v1/models/boxes/jobs", data=form_of([png(8, 6)] * 3))
    assert error(answer) == (400, "invalid_picture", "image")
    assert "144 pixels together, and at most 100" in answer.json["error"]["message"]


def test_more_pictures_than_a_job_may_have_are_400(http: FlaskClient) -> None:
    assert http.post("/v1/models/boxes/jobs", data=form_of([png(1, 1)] * 64)).status_code == 202
    answer = http.post("/v1/models/boxes/jobs", data=form_of([png(1, 1)] * 65))
    assert error(answer) == (400, "invalid_input", "image")
    assert answer.json["error"]["expected"] == "at most 64 pictures in one job"


def test_a_model_of_so_many_rows_takes_so_many_pictures_and_one_of_one_row_any(
    http: FlaskClient, registry: ModelRegistry
) -> None:
    for rows, pictures, status in ((1, 1, 202), (1, 3, 202), (2, 2, 202), (2, 1, 400), (2, 3, 400)):
        shape = {"image": {"dtype": "uint8", "shape": [rows, None, None, 3]}}
        registry.publish_ready(card(f"takes-{rows}", inputs=shape, takes_pictures=True), WORKER)
        answer = http.post(f"/v1/models/takes-{rows}/jobs", data=form_of([png()] * pictures))
        assert answer.status_code == status, answer.text
    assert error(answer) == (400, "invalid_input", "image")


@pytest.mark.parametrize(("query", "row"), [("?row=0", 0), ("?row=2", 2), ("?row=02", 2)])
def test_each_drawn_picture_of_a_job_is_asked_for_by_its_row(
    http: FlaskClient, job_store: JobStore, query: str, row: int
) -> None:
    job_id = submit(http, "boxes", data=form_of([png()] * 3))
    drawn = [png(2, 2), png(3, 3), png(4, 4)]
    play_worker(job_store, job_id, answer={"detections": []}, annotated=drawn)
    answer = http.get(f"/v1/jobs/{job_id}/result{query}", headers={"Accept": "image/png"})
    assert (answer.status_code, answer.mimetype, answer.data) == (200, "image/png", drawn[row])


@pytest.mark.parametrize("row", [None, "3", "-1", "one", "1.0", "", "0000000000002", "\u00b2", "\u0661"])
def test_a_row_that_a_job_of_several_pictures_has_not_is_400(
    http: FlaskClient, job_store: JobStore, row: str | None
) -> None:
    job_id = submit(http, "boxes", data=form_of([png()] * 3))
    play_worker(job_store, job_id, answer={"detections": []}, annotated=[png()] * 3)
    url, query = f"/v1/jobs/{job_id}/result", {} if row is None else {"row": row}
    answer = http.get(url, query_string=query, headers={"Accept": "image/png"})
    assert error(answer) == (400, "invalid_parameter", "row")
    assert answer.json["error"]["expected"] == "which of the 3 pictures, from 0 to 2"
    assert http.get(url, query_string=query).json == {"detections": []}


def test_the_only_picture_of_a_job_needs_no_row(http: FlaskClient, job_store: JobStore) -> None:
    job_id = submit(http, "boxes", data=png(), content_type="image/png")
    play_worker(job_store, job_id, answer={"detections": []}, annotated=[png(3, 3)])
    for query in ("", "?row=0"):
        assert http.get(f"/v1/jobs/{job_id}/result{query}", headers={"Accept": "image/png"}).data == png(3, 3)


@pytest.mark.parametrize("byte", [b"\r", b"\n", b"\x00"])
def test_a_form_takes_pictures_of_any_size_whatever_bytes_they_have(
    http: FlaskClient, client: redis.Redis, byte: bytes
) -> None:
    # werkzeug reads 64 KiB at once, and keeps an end that may be the beginning of a boundary.
    large = png() + byte * 200_000
    job_id = submit(http, "boxes", data=form_of([large, png(), large]))
    assert unpack_pictures(stored_input(client, job_id)) == [large, png(), large]
