"""Celery's own client, `send_task`, `control` and Flower against our records."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx
import pytest
from celery import Celery
from celery.exceptions import TaskRevokedError
from PIL import Image

from tasks.errors import JobFailed
from tasks.job import new_job_id
from tests.stores import SERVED
from tests.system import Running, eventually


@pytest.fixture
def app(system: Running) -> Iterator[Celery]:
    with Celery("test", set_as_current=False) as app:
        app.conf.update(broker_url=system.broker_url, result_backend="tasks.result_backend:JobRecordBackend")
        yield app


def submit(system: Running, model: str, row: list[float]) -> str:
    with system.http() as http:
        return str(http.post(f"/v1/models/{model}/jobs", json={"instances": [row]}).json()["id"])


def test_async_result_gives_state_and_answer(system: Running, app: Celery) -> None:
    job_id = submit(system, "linear-pb", [1, 2, 3])
    answer = app.AsyncResult(job_id).get(timeout=30)
    assert [list(row) for row in answer["outputs"]["y"]] == [[3, 5, 7]]
    assert app.AsyncResult(job_id).state == "SUCCESS"
    assert app.AsyncResult(new_job_id()).state == "PENDING"


def test_a_result_set_gives_all_answers(system: Running, app: Celery) -> None:
    ids = [submit(system, "linear-pb", [float(number), 0, 0]) for number in range(3)]
    results = [app.AsyncResult(job_id) for job_id in ids]
    answers = app.ResultSet(results).join_native(timeout=30)
    assert [answer["outputs"]["y"][0][0] for answer in answers] == [1, 3, 5]


def test_a_failed_job_raises_and_its_state_says_so(system: Running, app: Celery) -> None:
    # Given half a picture, whose header is whole
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "JPEG")
    half = buffer.getvalue()[: len(buffer.getvalue()) // 2]
    with system.http() as http:
        job_id = http.post("/v1/models/detector-pb/jobs", content=half, headers={"Content-Type": "image/jpeg"}).json()[
            "id"
        ]
    # Then Celery's client is told why it failed
    with pytest.raises(JobFailed, match="damaged or cut off"):
        app.AsyncResult(job_id).get(timeout=30)
    assert app.AsyncResult(job_id).state == "FAILURE"


def test_a_message_without_a_record_ends_as_a_failure(system: Running, app: Celery) -> None:
    job_id = new_job_id()
    app.send_task("predict", [job_id], task_id=job_id, queue="model.linear-pb")
    with pytest.raises(JobFailed, match="nobody had recorded"):
        app.AsyncResult(job_id).get(timeout=30)
    assert app.AsyncResult(job_id).state == "FAILURE"
    record = system.job_store().get(job_id)
    assert (record.status, record.failure_type) == ("failed", "record_missing")


def test_control_revoke_of_a_queued_job_cancels_its_record(system: Running, app: Celery) -> None:
    first, second = submit(system, "slow-h5", [0.0]), submit(system, "slow-h5", [0.0])
    app.control.revoke(second)
    assert system.finished(first)["status"] == "succeeded"
    assert system.finished(second)["status"] == "cancelled"
    with pytest.raises(TaskRevokedError):
        app.AsyncResult(second).get(timeout=5)


def test_inspect_sees_every_worker(system: Running, app: Celery) -> None:
    names = {name.split("@")[0] for name in app.control.inspect(timeout=5).ping()}
    assert {"linear-pb", "linear-h5", "text", "keeper"} <= names


def test_flower_shows_workers_and_jobs_by_id_and_nothing_of_the_input(system: Running) -> None:
    # Given a job that runs, one that waits behind it, and one that is done
    running, queued = submit(system, "slow-h5", [0.125]), submit(system, "slow-h5", [0.125])
    done = submit(system, "linear-pb", [0.125, 0, 0])
    with httpx.Client(base_url=system.flower_url) as flower:
        # Then Flower has a page for each under its id
        pages = {
            job_id: eventually(lambda: page(flower, job_id), 30).text  # noqa: B023
            for job_id in (running, queued, done)
        }
        workers = flower.get("/workers").text
        assert [name for name in (*SERVED, "keeper", "callbacks") if f"{name}@" not in workers] == []
    for job_id, text in pages.items():
        assert job_id in text
        assert "0.125" not in text
    assert "PENDING" in pages[queued] or "RECEIVED" in pages[queued]
    assert f"(linear-pb, {done})" in pages[done]
    system.finished(queued)


def page(flower: httpx.Client, job_id: str) -> httpx.Response | None:
    answer = flower.get(f"/task/{job_id}")
    return answer if answer.status_code == 200 else None
