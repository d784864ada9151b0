from __future__ import annotations

import io
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
import redis
from kombu import pools
from PIL import Image

from tasks import keys
from tasks.broker import connect, server_time_us
from tasks.job import Job, Lane, Status, new_job_id
from tasks.job_store import JobStore
from tests.live_worker import (
    LiveWorker,
    answer,
    ended,
    has_claim,
    leftovers,
    listening,
    make_job,
    records,
    statuses,
    stock_app,
    submit,
)
from tests.system import eventually
from tests.tiny_models import add_detector
from tests.valkey import Valkey
from tests.worker_models import MAX_ROWS, add_willing, willing_inputs


@dataclass(frozen=True)
class Stage:
    """A server, and the workers of three models on it."""

    url: str
    client: redis.Redis
    store: JobStore
    worker: LiveWorker


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    (folder / "valkey").mkdir()
    server = Valkey(folder / "valkey")
    server.start()
    models = folder / "models"
    add_willing(models, "willing")
    add_willing(models, "impatient")
    add_detector(models)
    workers = [
        LiveWorker(models, server.url, "willing", folder / "one", "one", CELERIAC_LEASE_S="30"),
        LiveWorker(models, server.url, "impatient", folder / "two", "two", CELERIAC_BULK_PATIENCE_S="1"),
        LiveWorker(models, server.url, "detector", folder / "three", "three"),
    ]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.await_ready()
        client = connect(server.url)
        yield Stage(server.url, client, JobStore(client, 3600), workers[0])
        client.close()
    finally:
        for worker in workers:
            worker.kill()
        server.stop()


@pytest.fixture(autouse=True)
def nothing_is_left_behind(stage: Stage) -> Iterator[None]:
    """Whatever a test did, in the end no message, claim or unfinished job is left."""
    yield
    for model in ("willing", "impatient", "detector"):
        await_clean(stage, model)


def await_clean(stage: Stage, model: str = "willing") -> None:
    """Wait until nothing is left of a model's jobs; else show what is."""
    left: dict[str, Any] = {}

    def is_clean() -> bool:
        left.clear()
        left.update(leftovers(stage.client, model))
        return not left

    with suppress(AssertionError):
        eventually(is_clean, 20)
    assert left == {}


def willing(number: float, model: str = "willing", lane: Lane = Lane.INTERACTIVE, **values: Any) -> tuple[Job, bytes]:
    return make_job(model, willing_inputs(number, **values), lane=lane)


def occupy(stage: Stage, wait_ms: int, model: str = "willing") -> str:
    """Have the model compute for so long; gives the id of the job that it computes."""
    [job_id] = submit(stage.store, [willing(0, model, wait_ms=wait_ms)])
    eventually(lambda: stage.store.get(job_id).status is Status.RUNNING, 10)
    return job_id


def outputs(stage: Stage, job_id: str) -> Any:
    return answer(stage.store, job_id)["outputs"]


def batches(jobs: list[Job]) -> list[list[Job]]:
    """Jobs that began in one step, the earliest first."""
    times = sorted({job.started_at_us or 0 for job in jobs})
    return [[job for job in jobs if job.started_at_us == time_us] for time_us in times]


def test_a_backlog_of_2000_jobs_gets_each_its_own_answer_in_far_fewer_calls(stage: Stage) -> None:
    job_ids = submit(stage.store, [willing(number) for number in range(2000)])
    jobs = ended(stage.store, job_ids)
    assert statuses(jobs) == {"succeeded": 2000}
    for number, job_id in enumerate(job_ids):
        np.testing.assert_array_equal(outputs(stage, job_id)["y"], [[2.0 * number + 1] * 3])
    assert all((job.attempt, job.delivery, job.worker) == (1, 1, "one@tests") for job in jobs)
    calls = batches(jobs)
    assert max(map(len, calls)) == MAX_ROWS
    assert len(calls) < 2000 / 8


def test_jobs_of_different_rows_and_shapes_share_a_backlog(stage: Stage) -> None:
    occupy(stage, 500)
    shapes = [(number % 5 + 1, number % 3 + 1) for number in range(200)] + [(100, 2), (33, 1)]
    job_ids = submit(
        stage.store,
        [willing(number, rows=rows, width=width) for number, (rows, width) in enumerate(shapes)],
    )
    jobs = ended(stage.store, job_ids)
    assert statuses(jobs) == {"succeeded": len(shapes)}
    for number, (job_id, shape) in enumerate(zip(job_ids, shapes, strict=True)):
        np.testing.assert_array_equal(outputs(stage, job_id)["y"], np.full(shape, 2.0 * number + 1))
    widths = dict(zip(job_ids, (width for _, width in shapes), strict=True))
    for call in batches(jobs):
        assert len({widths[job.id] for job in call}) == 1
        assert len(call) == 1 or sum(job.rows for job in call) <= MAX_ROWS
    assert len(batches(jobs)) < len(shapes) / 2


def test_input_that_cannot_be_decoded_fails_its_own_job_only(stage: Stage) -> None:
    occupy(stage, 300)
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
        outputs(stage, job_id)["y"][0][0] == 2 * n + 1 for n, job_id in enumerate(job_ids) if n % 30 != 3 and n % 30
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
    occupy(stage, 300)
    culprits = (0, 17, 18, 63, 99)
    job_ids = submit(stage.store, [willing(n, entry=9 if n in culprits else n % 4) for n in range(100)])
    ran = ended(stage.store, job_ids)
    assert tuple(n for n, job in enumerate(ran) if job.status is Status.FAILED) == culprits
    assert {ran[n].failure_type for n in culprits} == {"model_error"}
    for number in set(range(100)) - set(culprits):
        got = outputs(stage, job_ids[number])
        assert (got["y"].tolist(), got["entry"].tolist()) == ([[2.0 * number + 1] * 3], [number % 4 + 1])
    assert {job.attempt for job in ran} == {1}


def test_a_job_beyond_the_memory_fails_alone_and_later_batches_are_as_large_as_before(stage: Stage) -> None:
    # Given a job of some terabytes beside another; TensorFlow waits ten seconds for memory each time
    occupy(stage, 300)
    jobs = [willing(number, numbers=10**15 if number == 1 else 4) for number in range(2)]
    ran = ended(stage.store, submit(stage.store, jobs))
    assert [job.status for job in ran] == [Status.SUCCEEDED, Status.FAILED]
    assert ran[1].failure_type == "out_of_memory"
    # Then a later backlog runs in whole batches
    occupy(stage, 300)
    later = ended(stage.store, submit(stage.store, [willing(number) for number in range(3 * MAX_ROWS)]))
    assert max(map(len, batches(later))) == MAX_ROWS


def test_every_job_is_heard_of_as_received_started_and_ended(stage: Stage) -> None:
    with listening(stage.url) as heard:
        jobs = [willing(number, entry=7 if number % 100 == 50 else 0) for number in range(600)]
        broken = [(job, payload[:9]) for job, payload in (willing(number) for number in range(4))]
        job_ids = submit(stage.store, [*jobs, *broken])
        ended(stage.store, job_ids)
        eventually(lambda: heard.count("task-succeeded") + heard.count("task-failed") == 604, 20)
        assert heard.count("task-received") == heard.count("task-started") == 604
        assert (heard.count("task-succeeded"), heard.count("task-failed")) == (594, 10)
        assert {tuple(heard.kinds(job_id)) for job_id in job_ids[:50]} == {("received", "started", "succeeded")}
        assert heard.kinds(job_ids[50]) == heard.kinds(job_ids[600]) == ["received", "started", "failed"]
        assert not {"task-retried", "task-revoked", "task-rejected"} & {event["type"] for event in heard.events}


def test_revoked_jobs_do_not_run_whether_they_were_claimed_or_not(stage: Stage) -> None:
    with listening(stage.url) as heard:
        # Given a model that computes, jobs that its worker has claimed, and jobs that still lie in the queue
        occupy(stage, 2500)
        job_ids = submit(stage.store, [willing(number) for number in range(300)])
        eventually(lambda: has_claim(stage.client, job_ids[5]), 10)
        # When one of each is revoked
        revoked = [job_ids[5], job_ids[-1]]
        assert [has_claim(stage.client, job_id) for job_id in revoked] == [True, False]
        control = stock_app(stage.url).control
        assert len(control.revoke(revoked, destination=["one@tests"], reply=True, timeout=2, limit=1)) == 1
        assert stage.store.get(job_ids[0]).status is Status.QUEUED
        # Then both are cancelled without having run, and all others succeed
        ran = ended(stage.store, job_ids)
        assert statuses(ran) == {"succeeded": 298, "cancelled": 2}
        for job in records(stage.store, revoked):
            assert (job.status, job.attempt, job.started_at_us) == (Status.CANCELLED, 0, None)
        eventually(lambda: heard.count("task-revoked", revoked) == 2)
        assert [heard.kinds(job_id) for job_id in revoked] == [["received", "revoked"], ["revoked"]]
        assert heard.count("task-revoked") == 2
        assert [event["expired"] for event in heard.events if event["type"] == "task-revoked"] == [False, False]


def test_a_job_cancelled_by_its_client_before_its_batch_does_not_run(stage: Stage) -> None:
    occupy(stage, 1500)
    job_ids = submit(stage.store, [willing(number) for number in range(300)])
    eventually(lambda: has_claim(stage.client, job_ids[5]), 10)
    for job_id in (job_ids[5], job_ids[-1]):
        stage.store.cancel(job_id)
    ran = ended(stage.store, job_ids)
    assert statuses(ran) == {"succeeded": 298, "cancelled": 2}
    assert (ran[5].attempt, ran[-1].attempt) == (0, 0)


def test_jobs_past_their_deadline_do_not_run_whether_they_were_claimed_or_not(stage: Stage) -> None:
    occupy(stage, 1500)
    jobs = [willing(number) for number in range(300)]
    for number in (5, 299):
        jobs[number] = make_job("willing", willing_inputs(number), expires_in_s=0.5)
    ran = ended(stage.store, submit(stage.store, jobs))
    assert statuses(ran) == {"succeeded": 298, "expired": 2}
    assert [(ran[n].status, ran[n].attempt, ran[n].started_at_us) for n in (5, 299)] == [("expired", 0, None)] * 2


@pytest.mark.parametrize("is_claimed", [True, False])
def test_the_deadline_of_a_stock_producer_counts(stage: Stage, is_claimed: bool) -> None:
    # Given a model that computes, and before or behind a backlog a message that expires
    occupy(stage, 1500)
    job, payload = willing(1)
    record_only(stage, job, payload)
    others = [] if is_claimed else submit(stage.store, [willing(number) for number in range(300)])
    send_stock(stage, job, expires=0.5)
    if is_claimed:
        eventually(lambda: has_claim(stage.client, job.id), 1)
    # Then it does not run
    [late] = ended(stage.store, [job.id])
    assert (late.status, late.attempt) == (Status.EXPIRED, 0)
    assert statuses(ended(stage.store, others)) == ({} if is_claimed else {"succeeded": 300})


def record_only(stage: Stage, job: Job, payload: bytes) -> None:
    """Record a job without a message."""
    now_us = server_time_us(stage.client)
    pipeline = stage.client.pipeline()
    pipeline.hset(keys.job(job.id), mapping=cast(Any, {**job.to_hash(), "created_at_us": now_us}))
    pipeline.set(keys.job_input(job.id), payload)
    pipeline.zadd(keys.unfinished(job.model), {job.id: now_us})
    pipeline.execute()


def send_stock(stage: Stage, job: Job, **options: Any) -> None:
    with stock_app(stage.url) as app:
        app.send_task("predict", [job.id], task_id=job.id, queue="model.willing", **options)


def test_a_stock_message_of_a_job_runs_it_once_although_its_own_message_is_there_too(stage: Stage) -> None:
    occupy(stage, 800)
    jobs = [willing(number) for number in range(3)]
    job_ids = submit(stage.store, jobs)
    for job, _ in jobs:
        send_stock(stage, job, priority=9)
        send_stock(stage, job)
    ran = ended(stage.store, job_ids)
    assert [(job.status, job.attempt) for job in ran] == [("succeeded", 1)] * 3
    await_clean(stage)
    # And once more when it has ended already
    send_stock(stage, jobs[0][0], priority=9)
    await_clean(stage)
    assert stage.store.get(job_ids[0]) == ran[0]


def test_a_message_without_a_record_ends_as_failed(stage: Stage) -> None:
    job_id = str(uuid.uuid4())
    with listening(stage.url) as heard, stock_app(stage.url) as app:
        app.send_task("predict", [job_id], task_id=job_id, queue="model.willing")
        found = cast(Job, eventually(lambda: stage.store.find(job_id), 10))
        assert (found.status, found.failure_type) == (Status.FAILED, "record_missing")
        eventually(lambda: heard.count("task-failed", [job_id]) == 1, 10)
    assert 0 < stage.client.ttl(keys.job(job_id)) <= 86_400


def test_a_message_that_names_no_job_is_dropped(stage: Stage) -> None:
    with stock_app(stage.url) as app:
        app.send_task("predict", [], queue="model.willing")
        app.send_task("no.such.task", ["x"], queue="model.willing")
    await_clean(stage)
    assert statuses(ended(stage.store, submit(stage.store, [willing(1)]))) == {"succeeded": 1}


def test_a_message_for_later_runs_then_even_when_the_connection_broke_meanwhile(stage: Stage) -> None:
    occupy(stage, 300)
    job, payload = willing(1)
    record_only(stage, job, payload)
    send_stock(stage, job, countdown=2)
    sent_s = time.monotonic()
    eventually(lambda: stage.client.hlen(keys.OWNERS) and not stage.client.llen("model.willing"), 5)
    cut_all(stage)
    [ran] = ended(stage.store, [job.id])
    assert (ran.status, ran.attempt) == (Status.SUCCEEDED, 1)
    assert time.monotonic() - sent_s > 1.5


def cut_all(stage: Stage) -> None:
    """End all connections but our own."""
    for kind in ("normal", "pubsub"):
        stage.client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    # kombu keeps those of stock producers, which do not notice.
    pools.reset()


def test_inspect_answers_while_the_model_computes(stage: Stage) -> None:
    running = occupy(stage, 6000)
    waiting = submit(stage.store, [willing(number) for number in range(20)])
    eventually(lambda: all(has_claim(stage.client, job_id) for job_id in waiting), 5)
    with stock_app(stage.url) as app:
        inspect = app.control.inspect(destination=["one@tests"], timeout=2.0)
        replies: dict[str, Any] = {}
        for question in ("ping", "active", "reserved", "stats"):
            asked_s = time.monotonic()
            replies[question] = getattr(inspect, question)()["one@tests"]
            assert time.monotonic() - asked_s < 2.0, question
    assert stage.store.get(running).status is Status.RUNNING
    assert replies["ping"] == {"ok": "pong"}
    assert [request["id"] for request in replies["active"]] == [running]
    assert {request["id"] for request in replies["reserved"]} == set(waiting)
    assert replies["stats"]["total"]["predict"] >= 1
    ended(stage.store, [running, *waiting])


def test_cutting_all_connections_amid_a_backlog_runs_nothing_twice(stage: Stage) -> None:
    # Given a backlog of which each batch takes a while
    job_ids = submit(stage.store, [willing(number, wait_ms=60) for number in range(1000)])
    for cut in range(1, 4):
        # When all connections are cut amid it, three times
        eventually(lambda cut=cut: stage.store.get(job_ids[cut * 200]).is_finished, 20)
        cut_all(stage)
    # Then each job runs once, and none is left
    ran = ended(stage.store, job_ids)
    assert statuses(ran) == {"succeeded": 1000}
    assert {job.attempt for job in ran} == {1}
    for number, job_id in enumerate(job_ids):
        assert outputs(stage, job_id)["y"][0][0] == 2 * number + 1
    await_clean(stage)
    # And the worker still hears of what it is asked
    with stock_app(stage.url) as app:
        inspect = app.control.inspect(destination=["one@tests"], timeout=2.0)
        eventually(lambda: inspect.ping(), 20)
        assert inspect.active() == inspect.reserved() == {"one@tests": []}


def test_interactive_jobs_overtake_a_backlog_of_bulk_jobs(stage: Stage) -> None:
    # Given a backlog of bulk jobs, one batch of which runs
    bulk = submit(stage.store, [willing(n, lane=Lane.BULK, wait_ms=250) for n in range(10 * MAX_ROWS)])
    eventually(lambda: any(job.status is Status.RUNNING for job in records(stage.store, bulk)), 10)
    # When interactive jobs come
    quick = submit(stage.store, [willing(number) for number in range(50)])
    asked_us = max(job.created_at_us or 0 for job in records(stage.store, quick))
    # Then they run when the batch in hand is done and the one that was ready behind it, before all other bulk jobs
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
    assert 0.5 < began_s[0] < 2.5, began_s
    assert all(0.9 < later - sooner < 2.5 for sooner, later in pairwise(began_s)), began_s
    assert max(job.started_at_us or 0 for job in last) > max(job.started_at_us or 0 for job in ran)
