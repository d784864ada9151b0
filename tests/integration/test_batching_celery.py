"""To Celery a batching worker is a worker: events, revoking, deadlines, stock messages, inspect, cut connections."""

from __future__ import annotations

import time
import uuid
from typing import Any, cast

import pytest

from tasks import keys
from tasks.job import Job, Status
from tests.batching_stage import WORKER, Stage, willing
from tests.live_worker import ended, has_claim, listening, records, statuses, stock_app, submit
from tests.system import eventually

pytestmark = pytest.mark.usefixtures("clean_stage")


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
        stage.occupy(2500)
        job_ids = submit(stage.store, [willing(number) for number in range(300)])
        eventually(lambda: has_claim(stage.client, job_ids[5]), 10)
        # When one of each is revoked
        revoked = [job_ids[5], job_ids[-1]]
        assert [has_claim(stage.client, job_id) for job_id in revoked] == [True, False]
        control = stock_app(stage.url).control
        assert len(control.revoke(revoked, destination=[WORKER], reply=True, timeout=2, limit=1)) == 1
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


def test_a_running_job_that_is_revoked_with_terminate_is_cancelled_and_its_answer_thrown_away(stage: Stage) -> None:
    with listening(stage.url) as heard:
        # Given a job in the model
        running = stage.occupy(1500)
        # When it is revoked in the way that means running tasks too
        control = stock_app(stage.url).control
        assert control.revoke(running, terminate=True, destination=[WORKER], reply=True, timeout=2, limit=1)
        # Then it is cancelled at once, and stays so when the model is done with it
        cancelled = stage.store.get(running)
        assert (cancelled.status, cancelled.attempt) == (Status.CANCELLED, 1)
        assert statuses(ended(stage.store, submit(stage.store, [willing(1)]))) == {"succeeded": 1}
        assert stage.store.get(running) == cancelled
        assert stage.store.result(running) == {}
        eventually(lambda: heard.count("task-succeeded") == 1)
        assert heard.kinds(running) == ["received", "started", "revoked"]


def test_revoking_changes_nothing_of_a_job_that_runs_or_has_ended(stage: Stage) -> None:
    control = stock_app(stage.url).control
    # Given a job that has ended, and one in the model
    [done] = ended(stage.store, submit(stage.store, [willing(1)]))
    running = stage.occupy(1000)
    for job_id in (done.id, running):
        assert control.revoke(job_id, destination=[WORKER], reply=True, timeout=2, limit=1)
    assert stage.store.get(done.id) == done
    assert control.revoke(done.id, terminate=True, destination=[WORKER], reply=True, timeout=2, limit=1)
    assert stage.store.get(done.id) == done
    assert stage.outputs(done.id)["y"].tolist() == [[3.0] * 3]
    # Then the running one succeeds, as Celery has it
    assert statuses(ended(stage.store, [running])) == {"succeeded": 1}


@pytest.mark.parametrize("is_claimed", [True, False])
def test_the_deadline_of_a_stock_producer_counts(stage: Stage, is_claimed: bool) -> None:
    # Given a model that computes, and before or behind a backlog a message that expires
    stage.occupy(4000)
    job, payload = willing(1)
    stage.record_only(job, payload)
    others = [] if is_claimed else submit(stage.store, [willing(number) for number in range(300)])
    stage.send_stock(job, expires=2.5)
    if is_claimed:
        eventually(lambda: has_claim(stage.client, job.id), 2.5)
    # Then it does not run
    [late] = ended(stage.store, [job.id])
    assert (late.status, late.attempt) == (Status.EXPIRED, 0)
    assert statuses(ended(stage.store, others)) == ({} if is_claimed else {"succeeded": 300})


def test_a_stock_message_of_a_job_runs_it_once_although_its_own_message_is_there_too(stage: Stage) -> None:
    stage.occupy(800)
    jobs = [willing(number) for number in range(3)]
    job_ids = submit(stage.store, jobs)
    for job, _ in jobs:
        stage.send_stock(job, priority=9)
        stage.send_stock(job)
    ran = ended(stage.store, job_ids)
    assert [(job.status, job.attempt) for job in ran] == [("succeeded", 1)] * 3
    stage.await_clean()
    # And once more when it has ended already
    stage.send_stock(jobs[0][0], priority=9)
    stage.await_clean()
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
    stage.await_clean()
    assert statuses(ended(stage.store, submit(stage.store, [willing(1)]))) == {"succeeded": 1}


def test_a_message_for_later_runs_then_even_when_the_connection_broke_meanwhile(stage: Stage) -> None:
    stage.occupy(300)
    job, payload = willing(1)
    stage.record_only(job, payload)
    stage.send_stock(job, countdown=2)
    sent_s = time.monotonic()
    eventually(lambda: stage.client.hlen(keys.OWNERS) and not stage.client.llen("model.willing"), 5)
    stage.cut_all()
    [ran] = ended(stage.store, [job.id])
    assert (ran.status, ran.attempt) == (Status.SUCCEEDED, 1)
    assert time.monotonic() - sent_s > 1.5


def test_inspect_answers_while_the_model_computes(stage: Stage) -> None:
    running = stage.occupy(6000)
    waiting = submit(stage.store, [willing(number) for number in range(20)])
    eventually(lambda: all(has_claim(stage.client, job_id) for job_id in waiting), 5)
    with stock_app(stage.url) as app:
        inspect = app.control.inspect(destination=[WORKER], timeout=2.0)
        replies: dict[str, Any] = {}
        for question in ("ping", "active", "reserved", "stats"):
            asked_s = time.monotonic()
            replies[question] = getattr(inspect, question)()[WORKER]
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
        stage.cut_all()
    # Then each job runs once, and none is left
    ran = ended(stage.store, job_ids)
    assert statuses(ran) == {"succeeded": 1000}
    assert {job.attempt for job in ran} == {1}
    for number, job_id in enumerate(job_ids):
        assert stage.outputs(job_id)["y"][0][0] == 2 * number + 1
    stage.await_clean()
    # And the worker still hears of what it is asked
    with stock_app(stage.url) as app:
        inspect = app.control.inspect(destination=[WORKER], timeout=2.0)
        eventually(lambda: inspect.ping(), 20)
        assert inspect.active() == inspect.reserved() == {WORKER: []}
