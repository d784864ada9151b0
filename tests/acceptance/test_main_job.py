"""The main job, from HTTP to a model's answer and back, through real processes."""

from __future__ import annotations

import io
import os
import signal
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model_store.loader import load
from model_store.store import find_model
from tasks.job import Job, new_job_id
from tasks.model_registry import ModelRegistry
from tests.system import Running

ROWS = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (60, 40)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("model", ["linear-h5", "linear-pb", "linear-savedmodel"])
@pytest.mark.parametrize("sent", ["instances", "inputs", "npy"])
def test_each_format_answers_as_the_model_in_process(system: Running, model: str, sent: str) -> None:
    # Given the model run in this process
    loaded = load(find_model(system.settings.model_store, model))
    input_name = next(iter(loaded.signature.inputs))
    (output_name, expected), *_ = loaded.predict({input_name: ROWS}).items()
    np.testing.assert_allclose(expected, 2 * ROWS + 1, atol=1e-5)
    # When the same rows go through HTTP, Redis and a worker
    if sent == "npy":
        request: dict[str, Any] = {"content": npy(ROWS), "headers": {"Content-Type": "application/x-npy"}}
    else:
        request = {"json": {sent: ROWS.tolist()}}
    record = system.answer(model, **request)
    # Then the answer is equal to 1e-5, in JSON and as an array
    assert (record["status"], record["model"], record["version"], record["rows"]) == ("succeeded", model, 1, 5)
    np.testing.assert_allclose(record["result"]["outputs"][output_name], expected, atol=1e-5)
    with system.http() as http:
        raw = http.get(f"/v1/jobs/{record['id']}/result", headers={"Accept": "application/x-npy"})
    np.testing.assert_array_equal(np.load(io.BytesIO(raw.content)), expected)


def test_a_model_of_two_inputs_takes_npz_and_json(system: Running) -> None:
    a, b = np.array([[1, 2], [3, 4]], "float32"), np.array([5, 6], "int32")
    buffer = io.BytesIO()
    np.savez(buffer, a=a, b=b)
    by_npz = system.answer("two-inputs", content=buffer.getvalue(), headers={"Content-Type": "application/x-npz"})
    by_rows = system.answer("two-inputs", json={"instances": [{"a": [1, 2], "b": 5}, {"a": [3, 4], "b": 6}]})
    for record in (by_npz, by_rows):
        assert record["result"]["outputs"] == {"sum": [8.0, 13.0], "product": [10.0, 72.0]}


def test_strings_go_in_and_come_out(system: Running) -> None:
    record = system.answer("text", json={"instances": ["straße", "ab"]})
    assert record["result"]["outputs"]["length"] == [6, 2]
    assert record["result"]["outputs"]["upper"][1] == "AB"


def test_a_detector_answers_with_boxes_labels_and_a_drawing(system: Running) -> None:
    record = system.answer(
        "detector-pb",
        content=picture((255, 255, 255)),
        headers={"Content-Type": "image/png"},
        params={"annotate": "true", "min_score": "0.1"},
    )
    # Four boxes score above 0.1, but the model says that only two count.
    first, second = record["result"]["detections"]
    assert first == {
        "box": [0.25, 0.25, 0.75, 0.75],
        "box_pixels": [10, 15, 30, 45],
        "class": 1,
        "label": "lamp",
        "score": pytest.approx(1.0),
    }
    assert (second["label"], second["score"]) == ("2", pytest.approx(0.5))
    with system.http() as http:
        drawn = http.get(f"/v1/jobs/{record['id']}/result", headers={"Accept": "image/png"})
        raw = http.get(f"/v1/jobs/{record['id']}/result", headers={"Accept": "application/x-npz"})
    drawing = Image.open(io.BytesIO(drawn.content))
    assert (drawing.size, drawing.format) == ((60, 40), "PNG")
    assert drawing.convert("RGB").getcolors() != [(60 * 40, (255, 255, 255))], "nothing was drawn"
    assert np.load(io.BytesIO(raw.content))["detection_boxes"].shape == (1, 4, 4)


def test_several_pictures_in_one_array_say_which_row_each_detection_is_of(system: Running) -> None:
    pictures = np.stack([np.full((8, 8, 3), 255, "uint8"), np.zeros((8, 8, 3), "uint8")])
    record = system.answer("detector-pb", content=npy(pictures), headers={"Content-Type": "application/x-npy"})
    assert {found["row"] for found in record["result"]["detections"]} == {0}


def test_a_slow_model_does_not_delay_another(system: Running) -> None:
    # Given a queue of rows for a model that takes long over each
    with system.http() as http:
        slow = [http.post("/v1/models/slow-h5/jobs", json={"instances": [[0.0]]}).json()["id"] for _ in range(3)]
        # When jobs for another model come after them
        began_s = time.monotonic()
        quick = [system.answer("linear-pb", json={"instances": [[1, 2, 3]]}) for _ in range(3)]
        took_s = time.monotonic() - began_s
        # Then all those are answered while the slow ones still wait
        waiting = [http.get(f"/v1/jobs/{job_id}").json()["status"] for job_id in slow]
    assert all(record["status"] == "succeeded" for record in quick)
    assert waiting[-1] == "queued", f"{waiting} after {took_s:.1f} s"
    assert system.finished(slow[-1])["compute_ms"] > 500


def test_a_queued_job_is_cancelled_and_never_runs(system: Running) -> None:
    with system.http() as http:
        ids = [http.post("/v1/models/slow-h5/jobs", json={"instances": [[0.0]]}).json()["id"] for _ in range(2)]
        cancelled = http.delete(f"/v1/jobs/{ids[1]}")
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
        assert http.delete(f"/v1/jobs/{ids[1]}").status_code == 409
        assert system.finished(ids[0])["status"] == "succeeded"
        record = http.get(f"/v1/jobs/{ids[1]}").json()
    assert (record["status"], record["attempt"], record["started_at"]) == ("cancelled", 0, None)


def test_a_running_jobs_answer_is_thrown_away_when_it_is_cancelled(system: Running) -> None:
    with system.http() as http:
        job_id = http.post("/v1/models/slow-h5/jobs", json={"instances": [[0.0]]}).json()["id"]
        while http.get(f"/v1/jobs/{job_id}").json()["status"] == "queued":
            pass
        assert http.delete(f"/v1/jobs/{job_id}").json()["status"] == "cancelled"
        # The next job of this worker ends after the cancelled one was computed.
        assert system.answer("slow-h5", json={"instances": [[0.0]]})["status"] == "succeeded"
        assert http.get(f"/v1/jobs/{job_id}").json()["status"] == "cancelled"
        assert http.get(f"/v1/jobs/{job_id}").json()["result"] is None


@pytest.mark.parametrize(("pinned", "status"), [(True, "failed"), (False, "succeeded")])
def test_a_version_that_was_replaced_while_the_job_waited(system: Running, pinned: bool, status: str) -> None:
    # Given a job that was checked for a version which is served no more
    job = Job(id=new_job_id(), model="linear-pb", version=7, pinned=pinned, content_type="application/x-npy", rows=5)
    system.job_store().submit(job, npy(ROWS))
    # Then the record says what ran or should have, and a job for that version alone is not answered by another
    record = system.finished(job.id)
    assert (record["status"], record["version"]) == (status, 7 if pinned else 1)
    if pinned:
        assert record["failure"]["type"] == "version_not_served"
        assert "Version 7 was asked for" in record["failure"]["message"]


def test_an_overdue_job_expires_without_a_worker_touching_it(system: Running) -> None:
    # Given a model whose only worker stands still
    [worker] = ModelRegistry(system.redis()).get("linear-pb").workers
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        # When a job of it waits for longer than it may
        with system.http() as http:
            late = http.post("/v1/models/linear-pb/jobs?expires_in_s=0.1", json={"instances": [[1, 2, 3]]}).json()["id"]
        record = system.finished(late)
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    # Then it ends all the same, as a job that nobody has begun
    assert (record["status"], record["result"]) == ("expired", None)
    assert (record["attempt"], record["worker"], record["started_at"], record["compute_ms"]) == (0, "", None, None)
    # And the worker, when it goes on, serves others and leaves that one as it is
    assert system.answer("linear-pb", json={"instances": [[1, 2, 3]]})["worker"] == worker.name
    assert system.finished(late) == record
