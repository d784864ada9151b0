"""Batches of a real worker: each job gets its own answer, bad ones harm no other, and lanes are kept."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from tasks.job import Job, Lane, Status, new_job_id
from tasks.model_registry import ModelRegistry
from tests.batching_stage import WORKER, Stage, batches, willing
from tests.live_worker import answer, ended, has_claim, listening, make_job, records, statuses, stock_app, submit
from tests.system import eventually
from tests.worker_models import MAX_ROWS, willing_inputs

pytestmark = pytest.mark.usefixtures("clean_stage")


def test_a_backlog_of_2000_jobs_gets_each_its_own_answer_in_far_fewer_calls(stage: Stage) -> None:
    job_ids = submit(stage.store, [willing(number) for number in range(2000)])
    jobs = ended(stage.store, job_ids)
    assert statuses(jobs) == {"succeeded": 2000}
    for number, job_id in enumerate(job_ids):
        np.testing.assert_array_equal(stage.outputs(job_id)["y"], [[2.0 * number + 1] * 3])
    assert all((job.attempt, job.delivery, job.worker) == (1, 1, "one@tests") for job in jobs)
    calls = batches(jobs)
    assert max(map(len, calls)) == MAX_ROWS
    assert len(calls) < 2000 / 8


def test_jobs_of_different_rows_and_shapes_share_a_backlog(stage: Stage) -> None:
    stage.occupy(500)
    shapes = [(number % 5 + 1, number % 3 + 1) for number in range(200)] + [(100, 2), (33, 1)]
    job_ids = submit(
        stage.store,
        [willing(number, rows=rows, width=width) for number, (rows, width) in enumerate(shapes)],
    )
    jobs = ended(stage.store, job_ids)
    assert statuses(jobs) == {"succeeded": len(shapes)}
    for number, (job_id, shape) in enumerate(zip(job_ids, shapes, strict=True)):
        np.testing.assert_array_equal(stage.outputs(job_id)["y"], np.full(shape, 2.0 * number + 1))
    widths = dict(zip(job_ids, (width for _, width in shapes), strict=True))
    for call in batches(jobs):
        assert len({widths[job.id] for job in call}) == 1
        assert len(call) == 1 or sum(job.rows for job in call) <= MAX_ROWS
    assert len(batches(jobs)) < len(shapes) / 2


def test_input_that_cannot_be_decoded_fails_its_own_job_only(stage: Stage) -> None:
    stage.occupy(300)
    jobs = [willing(number) for number in range(90)]
    for number, cut in ((3, 0), (30, 20), (60, 400)):
        jobs[number] = (jobs[number][0], jobs[number][1][:cut])
    job_ids = submit(stage.store, jobs)
    ran = ended(stage.store, job_ids)
    assert statuses(ran) == {"succeeded": 87, "failed": 3}
    for number in (3, 30, 60):
        assert (ran[number].status, ran[number].failure_type) == (Status.FAILED, "invalid_input")
        assert ran[number].attempt == 0
    assert all(
        stage.outputs(job_id)["y"][0][0] == 2 * n + 1 for n, job_id in enumerate(job_ids) if n % 30 != 3 and n % 30
    )


def test_half_a_picture_fails_its_own_job_only(stage: Stage) -> None:
    def picture(brightness: int, form: str) -> bytes:
        file = io.BytesIO()
        Image.new("RGB", (64, 48), (brightness,) * 3).save(file, form)
        return file.getvalue()

    jobs = []
    for number in range(24):
        form = "JPEG" if number % 2 else "PNG"
        data = picture(number * 10, form)
        job = Job(id=new_job_id(), model="detector", version=1, content_type=f"image/{form.lower()}", min_score=0.0)
        jobs.append((job, data[: len(data) // 2] if number in (6, 13) else data))
    job_ids = submit(stage.store, jobs)
    ran = ended(stage.store, job_ids)
    assert [n for n, job in enumerate(ran) if job.status is not Status.SUCCEEDED] == [6, 13]
    assert {ran[6].failure_type, ran[13].failure_type} == {"invalid_input"}
    for number in set(range(24)) - {6, 13}:
        [best, _] = answer(stage.store, job_ids[number])["detections"]
        assert best["score"] == pytest.approx(number * 10 / 255, abs=0.02)


def test_rows_that_make_the_model_fail_are_found_among_their_neighbours(stage: Stage) -> None:
    stage.occupy(300)
    culprits = (0, 17, 18, 63, 99)
    job_ids = submit(stage.store, [willing(n, entry=9 if n in culprits else n % 4) for n in range(100)])
    ran = ended(stage.store, job_ids)
    assert tuple(n for n, job in enumerate(ran) if job.status is Status.FAILED) == culprits
    assert {ran[n].failure_type for n in culprits} == {"model_error"}
    for number in set(range(100)) - set(culprits):
        got = stage.outputs(job_ids[number])
        assert (got["y"].tolist(), got["entry"].tolist()) == ([[2.0 * number + 1] * 3], [number % 4 + 1])
    assert {job.attempt for job in ran} == {1}


def test_a_job_beyond_the_memory_fails_alone_and_later_batches_are_as_large_as_before(stage: Stage) -> None:
    # Given a job of some terabytes beside another; TensorFlow waits ten seconds for memory each time
    stage.occupy(300)
    jobs = [willing(number, numbers=10**15 if number == 1 else 4) for number in range(2)]
    ran = ended(stage.store, submit(stage.store, jobs))
    assert [job.status for job in ran] == [Status.SUCCEEDED, Status.FAILED]
    assert ran[1].failure_type == "out_of_memory"
    # Then a later backlog runs in whole batches
    stage.occupy(300)
    later = ended(stage.store, submit(stage.store, [willing(number) for number in range(3 * MAX_ROWS)]))
    assert max(map(len, batches(later))) == MAX_ROWS


def test_a_job_cancelled_by_its_client_before_its_batch_does_not_run(stage: Stage) -> None:
    stage.occupy(1500)
    job_ids = submit(stage.store, [willing(number) for number in range(300)])
    eventually(lambda: has_claim(stage.client, job_ids[5]), 10)
    for job_id in (job_ids[5], job_ids[-1]):
        stage.store.cancel(job_id)
    ran = ended(stage.store, job_ids)
    assert statuses(ran) == {"succeeded": 298, "cancelled": 2}
    assert (ran[5].attempt, ran[-1].attempt) == (0, 0)


def test_jobs_past_their_deadline_do_not_run_whether_they_were_claimed_or_not(stage: Stage) -> None:
    stage.occupy(1500)
    jobs = [willing(number) for number in range(300)]
    for number in (5, 299):
        jobs[number] = make_job("willing", willing_inputs(number), expires_in_s=0.5)
    ran = ended(stage.store, submit(stage.store, jobs))
    assert statuses(ran) == {"succeeded": 298, "expired": 2}
    assert [(ran[n].status, ran[n].attempt, ran[n].started_at_us) for n in (5, 299)] == [("expired", 0, None)] * 2


def test_interactive_jobs_overtake_a_backlog_of_bulk_jobs(stage: Stage) -> None:
    # Given a backlog of bulk jobs, one batch of which runs
    bulk = submit(stage.store, [willing(n, lane=Lane.BULK, wait_ms=250) for n in range(10 * MAX_ROWS)])
    eventually(lambda: any(job.status is Status.RUNNING for job in records(stage.store, bulk)), 10)
    # When interactive jobs come
    quick = submit(stage.store, [willing(number) for number in range(50)])
    asked_us = max(job.created_at_us or 0 for job in records(stage.store, quick))
    # Then they run when a batch in hand is done, before all bulk jobs that had not begun when they were claimed
    last_us = max(job.started_at_us or 0 for job in ended(stage.store, quick))
    ran = ended(stage.store, bulk)
    assert len([batch for batch in batches(ran) if asked_us < (batch[0].started_at_us or 0) < last_us]) <= 2
    assert statuses(ran) == {"succeeded": len(bulk)}


def test_bulk_jobs_are_not_starved_by_interactive_ones(stage: Stage) -> None:
    # Given interactive jobs enough for some seconds, all there before the bulk jobs
    quick = submit(stage.store, [willing(n, "impatient", wait_ms=250) for n in range(14 * MAX_ROWS)])
    bulk = submit(stage.store, [willing(n, "impatient", Lane.BULK) for n in range(2 * MAX_ROWS)])
    ran, last = ended(stage.store, bulk), ended(stage.store, quick)
    submitted_us = max(job.created_at_us or 0 for job in ran)
    # Then a batch of bulk jobs runs after about a second, and each second, before all interactive ones have run
    began_s = [((batch[0].started_at_us or 0) - submitted_us) / 1e6 for batch in batches(ran)]
    assert 2 <= len(began_s) <= 4, began_s
    assert 0.5 < began_s[0] < 4, began_s
    assert all(0.9 < later - sooner < 4 for sooner, later in pairwise(began_s)), began_s
    assert max(job.started_at_us or 0 for job in last) > max(job.started_at_us or 0 for job in ran)


def test_the_batch_in_hand_ends_and_what_the_worker_holds_beside_it_waits_for_the_end_of_the_pause(
    stage: Stage,
) -> None:
    registry = ModelRegistry(stage.client)
    with listening(stage.url) as heard:
        # Given a batch in the model, and jobs of both lanes that the worker holds beside it
        in_hand = stage.occupy(1500)
        job_ids = submit(stage.store, [willing(number) for number in range(20)])
        job_ids += submit(stage.store, [willing(number, lane=Lane.BULK) for number in range(20)])
        eventually(lambda: has_claim(stage.client, job_ids[0]))
        # When the model is paused, and more come
        registry.pause("willing")
        job_ids += submit(stage.store, [willing(number) for number in range(20)])
        # Then the batch ends, and nothing else begins: all is back in the queue
        assert ended(stage.store, [in_hand])[0].status is Status.SUCCEEDED
        eventually(lambda: stage.client.hlen("unacked") == 0)
        waiting = records(stage.store, job_ids)
        assert {(job.status, job.attempt) for job in waiting} == {(Status.QUEUED, 0)}
        assert stage.client.llen("model.willing") == 40
        # And the worker lives, to Celery and to us
        with stock_app(stage.url) as app:
            inspect = app.control.inspect([WORKER], timeout=10)
            assert inspect.ping() == {WORKER: {"ok": "pong"}}
            assert inspect.reserved() == inspect.active() == {WORKER: []}
        record = registry.get("willing")
        assert (record.paused, str(record.status), len(record.workers)) == (True, "ready", 1)
        # When jobs end meanwhile that have not begun, and the pause ends
        cancelled = stage.store.cancel(job_ids[0])
        registry.resume("willing")
        # Then all others run, each once, the interactive ones in the order in which they came
        ran = ended(stage.store, job_ids)
        assert statuses(ran) == {"succeeded": 59, "cancelled": 1}
        assert ran[0] == cancelled
        assert {(job.attempt, job.delivery) for job in ran[1:]} == {(1, 1)}
        eventually(lambda: heard.count("task-succeeded", job_ids) == 59)
    stage.await_clean()


def test_an_idle_worker_begins_nothing_in_a_pause_and_begins_within_a_second_after_it(stage: Stage) -> None:
    registry = ModelRegistry(stage.client)
    registry.pause("willing")
    job_ids = submit(stage.store, [willing(number) for number in range(3)])
    job, payload = willing(9)
    late = submit(stage.store, [(replace(job, expires_in_s=0.1), payload)])
    # A deadline passes in a pause as ever
    eventually(lambda: stage.store.expire_overdue() == 1)
    assert statuses(records(stage.store, job_ids + late)) == {"queued": 3, "expired": 1}
    registry.resume("willing")
    ran = ended(stage.store, job_ids, within_s=2)
    assert statuses(ran) == {"succeeded": 3}
    stage.await_clean()
