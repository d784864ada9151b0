"""The Python client, with threads and with asyncio, against a running system."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from client import AsyncCeleriac, Celeriac
from client.arrays import Arrays
from client.errors import BadRequest, ClientError, Gone, JobCancelled, JobUnfinished, NotFound
from client.job import Job
from client.npy import encode_npy
from tests.system import Running

ROWS = np.arange(12, dtype="float32").reshape(4, 3)

#: Maps rows with one of the two clients, and gives what the first so many answers are; None: all.
MapRows = Callable[..., list[Any]]


@pytest.fixture
def celeriac(system: Running) -> Iterator[Celeriac]:
    with Celeriac(system.url) as celeriac:
        yield celeriac


@pytest.fixture(params=["threads", "asyncio"])
def map_rows(request: pytest.FixtureRequest, system: Running) -> MapRows:
    return {"threads": in_thread, "asyncio": in_loop}[request.param](system.url)


def in_thread(url: str) -> MapRows:
    def map_rows(model: str, rows: Iterable[Any], first: int | None = None, **options: Any) -> list[Any]:
        with Celeriac(url) as celeriac, closing(celeriac.map(model, rows, **options)) as answers:
            return [answer for _, answer in zip(endless(first), answers, strict=False)]

    return map_rows


def in_loop(url: str) -> MapRows:
    async def run(model: str, rows: Iterable[Any], first: int | None, options: dict[str, Any]) -> list[Any]:
        found: list[Any] = []
        async with AsyncCeleriac(url) as celeriac, aclosing(celeriac.map(model, in_turn(rows), **options)) as answers:
            async for answer in answers:
                found.append(answer)
                if len(found) == first:
                    break
        return found

    return lambda model, rows, first=None, **options: asyncio.run(run(model, rows, first, options))


def endless(first: int | None) -> Iterable[int]:
    return range(10**9 if first is None else first)


async def in_turn(rows: Iterable[Any]) -> AsyncIterator[Any]:
    for row in rows:
        await asyncio.sleep(0)
        yield row


def checked(answer: Any, expected: Any) -> None:
    assert isinstance(answer, Arrays)
    np.testing.assert_allclose(answer.array, expected, atol=1e-5)


def test_an_array_a_file_its_bytes_a_mapping_and_lists_are_the_same_job(celeriac: Celeriac, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", ROWS)
    (name,) = celeriac.model("linear-pb")["signature"]["inputs"]
    given: list[Any] = [ROWS, tmp_path / "rows.npy", str(tmp_path / "rows.npy"), encode_npy(ROWS)]
    for inputs in [*given, {name: ROWS}, ROWS.tolist(), {name: ROWS.tolist()}]:
        checked(celeriac.submit("linear-pb", inputs).result(), 2 * ROWS + 1)
    # A single row in a list gets its axis.
    checked(celeriac.submit("linear-pb", [1, 2, 3]).result(), [[3, 5, 7]])


def test_texts_travel_as_arrays_and_in_lists(celeriac: Celeriac) -> None:
    texts = ["some text", "zwölf", ""]
    answers = [
        celeriac.submit("text", given).result(arrays=True)
        for given in (texts, np.array(texts), np.array(texts, dtype=object))
    ]
    assert [list(answer) for answer in answers] == [list(answers[0])] * 3
    for answer in answers[1:]:
        for name in answer:
            np.testing.assert_array_equal(answer[name], answers[0][name])


def test_pictures_are_answered_with_a_document_and_with_arrays_where_those_are_asked_for(
    celeriac: Celeriac, tmp_path: Path
) -> None:
    white = Image.new("RGB", (60, 40), (255, 255, 255))
    white.save(tmp_path / "white.png")
    path = tmp_path / "white.png"
    documents = [
        celeriac.submit("detector-pb", given, min_score=0.6).result()
        for given in (white, path, path.read_bytes(), white.convert("CMYK"))
    ]
    assert [[found["label"] for found in document["detections"]] for document in documents] == [["lamp"]] * 4
    three = celeriac.submit("detector-pb", [white, path, path.read_bytes()], min_score=0.6)
    assert [found["row"] for found in three.result()["detections"]] == [0, 1, 2]
    assert isinstance(three.result(arrays=True), Arrays)


def test_a_job_tells_its_status_and_is_cancelled_and_its_result_deleted(celeriac: Celeriac) -> None:
    # Given a job that is under way, and one behind it
    busy = celeriac.submit("slow-h5", np.zeros((1, 1), "float32"))
    waiting = celeriac.submit("slow-h5", np.zeros((1, 1), "float32"), tag="behind")
    assert not busy.is_finished
    with pytest.raises(JobUnfinished, match=busy.id):
        busy.result(timeout_s=0.01)
    # When the second is cancelled
    assert waiting.cancel().status == "cancelled"
    # Then it has no result, and cancelling it again is fine
    with pytest.raises(JobCancelled) as caught:
        waiting.result()
    assert (caught.value.job_id, caught.value.type) == (waiting.id, "job_cancelled")
    waiting.cancel()
    # And the first goes on, until its result is deleted
    assert busy.wait(60).status == "succeeded"
    assert celeriac.get_job(busy.id).result(arrays=True)
    busy.delete_result()
    with pytest.raises(Gone):
        busy.result(arrays=True)
    assert [job.id for job in celeriac.jobs(tag="behind", model="slow-h5")] == [waiting.id]


def test_what_the_server_refuses_is_an_error_of_its_kind(celeriac: Celeriac) -> None:
    with pytest.raises(NotFound, match="linear-pb") as missing:
        celeriac.submit("no-such-model", ROWS)
    assert (missing.value.status, missing.value.type) == (404, "model_not_found")
    with pytest.raises(BadRequest) as wrong:
        celeriac.submit("linear-pb", ROWS[:, :2])
    assert (wrong.value.field or "").startswith("inputs.")
    with pytest.raises(NotFound):
        celeriac.get_job("01900000-0000-7000-8000-000000000000x")


def test_many_jobs_in_one_request_tell_of_each_part(celeriac: Celeriac) -> None:
    items = celeriac.submit_many("linear-pb", ROWS, rows_per_job=3, idempotency_key="many")
    assert [(item.index, item.rows, item.error) for item in items] == [(0, 3, None), (3, 1, None)]
    ids = [item.record.id for item in items if item.record]
    again = celeriac.submit_many("linear-pb", ROWS, rows_per_job=3, idempotency_key="many")
    assert [item.record.id for item in again if item.record] == ids
    for job_id in ids:
        celeriac.get_job(job_id, wait_s=30)
    answers = celeriac.results(ids)
    np.testing.assert_allclose(np.concatenate([answers[job_id].array for job_id in ids]), 2 * ROWS + 1)
    assert celeriac.free(ids) == 2
    assert celeriac.results(ids) == {}


def test_models_health_pause_and_resume(celeriac: Celeriac) -> None:
    assert "linear-h5" in {model["name"] for model in celeriac.models()}
    assert celeriac.health()
    assert celeriac.pause("linear-h5")["paused"] is True
    job = celeriac.submit("linear-h5", ROWS)
    assert celeriac.query([job.id], wait_s=0.2)[job.id].status == "queued"
    assert celeriac.resume("linear-h5")["paused"] is False
    assert job.wait(30).status == "succeeded"


@pytest.mark.parametrize(("rows_per_job", "window"), [(1, 16), (7, 3), (1, 1)])
def test_map_answers_any_number_of_rows_in_order_and_frees_the_results(
    system: Running, map_rows: MapRows, rows_per_job: int, window: int
) -> None:
    rows = 60
    tag = f"map-{time.monotonic_ns()}"
    given = (np.full(3, number, "float32") for number in range(rows))
    answers = map_rows("linear-pb", given, window=window, rows_per_job=rows_per_job, tag=tag)
    assert [answer.array.shape for answer in answers] == [(3,)] * rows
    assert [answer.array[0] for answer in answers] == [2 * number + 1 for number in range(rows)]
    with Celeriac(system.url) as celeriac:
        jobs = list(celeriac.jobs(tag=tag))
        assert sum(job.record["rows"] for job in jobs) == rows
        assert celeriac.results([job.id for job in jobs]) == {}


def test_map_takes_pictures_mappings_and_plain_values(map_rows: MapRows, celeriac: Celeriac) -> None:
    white, black = (Image.new("RGB", (60, 40), (grey, grey, grey)) for grey in (255, 0))
    documents = map_rows("detector-pb", [white, black, white], rows_per_job=2, min_score=0.6)
    single = [celeriac.submit("detector-pb", picture, min_score=0.6).result() for picture in (white, black, white)]
    assert documents == single
    checked(map_rows("linear-pb", [[1, 2, 3]])[0], [3, 5, 7])
    fits = celeriac.model("two-inputs")["signature"]["inputs"]
    row = {name: np.zeros([size or 1 for size in spec["shape"][1:]], spec["dtype"]) for name, spec in fits.items()}
    assert len(map_rows("two-inputs", [row] * 3)) == 3


def test_a_row_that_cannot_be_answered_is_an_error_in_its_place(map_rows: MapRows) -> None:
    good, short = np.ones(3, "float32"), np.ones(2, "float32")
    rows = [good, short, good, ["no", "number", "here"], good]
    answers = map_rows("linear-pb", rows, yield_errors=True)
    assert [isinstance(answer, ClientError) for answer in answers] == [False, True, False, True, False]
    assert [answer.row for answer in answers if isinstance(answer, ClientError)] == [1, 3]
    # Without asking for it, it is raised in its place
    seen: list[Any] = []
    with pytest.raises(BadRequest) as caught:
        map_rows("linear-pb", (seen.append(row) or row for row in rows), window=2)
    assert caught.value.row == 1


def test_a_map_that_is_left_cancels_its_jobs(map_rows: MapRows, celeriac: Celeriac) -> None:
    tag = f"left-{time.monotonic_ns()}"
    rows = (np.zeros(1, "float32") for _ in range(10**6))
    assert len(map_rows("slow-h5", rows, first=1, window=4, tag=tag)) == 1
    jobs = list(celeriac.jobs(tag=tag))
    assert 4 <= len(jobs) <= 6
    assert {job.status for job in jobs} <= {"succeeded", "running", "cancelled"}
    assert "cancelled" in {job.status for job in jobs}


def test_many_coroutines_share_one_client(system: Running) -> None:
    async def run() -> list[Any]:
        async with AsyncCeleriac(system.url, connections=4) as celeriac:
            jobs = await asyncio.gather(*(celeriac.submit("linear-pb", ROWS + number) for number in range(20)))
            return await asyncio.gather(*(job.result() for job in jobs))

    for number, answer in enumerate(asyncio.run(run())):
        checked(answer, 2 * (ROWS + number) + 1)


def test_a_jobs_handle_shows_what_it_is(celeriac: Celeriac) -> None:
    job = celeriac.submit("linear-pb", ROWS, tag="shown")
    assert isinstance(job, Job)
    assert repr(job) == f"<Job {job.id} of linear-pb: queued>"
    assert job.wait(30).record["tag"] == "shown"
