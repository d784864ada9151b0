"""The server goes away, forgets, cuts, and cannot write: workers, keeper and API come back without help."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from threading import Event

import httpx
import numpy as np
import pytest

from tasks.job import Status
from tasks.lost_jobs import SETTLED_S, job_ids
from tasks.queues import queue_list, queue_of
from tests.batching_stage import willing
from tests.claiming import full
from tests.live_worker import ended, has_claim, make_job, statuses, stock_app, submit
from tests.recovery_stage import LEASE_S, MODEL, Stage, finished, keeper, open_recovery_stage, post
from tests.system import eventually

#: How long the server is away: ten leases.
AWAY_S = 30

#: Within so long everybody is back: a worker's longest pause before it tries again, and a heartbeat.
BACK_S = 15


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    with open_recovery_stage(folder) as stage, keeper(folder, stage.server.url):
        yield stage


@pytest.fixture
def http(stage: Stage) -> Iterator[httpx.Client]:
    with stage.api.http() as http:
        yield http


@pytest.fixture(autouse=True)
def left_clean(stage: Stage) -> Iterator[None]:
    yield
    stage.await_clean()


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", {}).get("type", "")


def await_served(http: httpx.Client, within_s: float = BACK_S) -> set[str]:
    """Wait until a job can be submitted; it is run. Gives the ids of all that were submitted."""
    answers: list[httpx.Response] = []

    def is_taken() -> bool:
        answers.append(post(http, 5))
        return answers[-1].is_success

    eventually(is_taken, within_s)
    record = finished(http, answers[-1].json()["id"])
    assert (record["status"], record["attempt"]) == ("succeeded", 1)
    assert record["result"]["outputs"]["y"] == [[11.0]]
    return {answer.json()["id"] for answer in answers if answer.is_success}


def await_keeper(stage: Stage) -> None:
    """Wait until the keeper ends what is overdue, which it alone does where no worker of a model lives."""
    job, payload = make_job("nobodys", {"x": np.zeros((1, 1))}, expires_in_s=0.01)
    [late] = ended(stage.store, submit(stage.store, [(job, payload)]), 20)
    assert late.status is Status.EXPIRED


def await_heard(stage: Stage) -> None:
    """Wait until both workers answer what Celery asks, and hold nothing."""
    with stock_app(stage.server.url) as app, app.connection_for_write() as connection:
        names = [worker.name for worker in stage.workers]
        inspect = app.control.inspect(names, timeout=2, limit=2, connection=connection)
        eventually(lambda: len(inspect.ping() or ()) == 2, BACK_S)
        for holdings in (inspect.active(), inspect.reserved()):
            assert list(holdings.values()) == [[], []]


def test_all_go_on_when_the_server_was_away_for_long(stage: Stage, http: httpx.Client) -> None:
    # Given a job from before, one that is being computed, and some that wait behind it
    before = post(http).json()["id"]
    assert finished(http, before)["status"] == "succeeded"
    ends = stage.ends()
    running = stage.occupy(5000).id
    also_running = stage.occupy((AWAY_S + 5) * 1000).id
    waiting = submit(stage.store, [willing(number) for number in range(50)])
    eventually(lambda: has_claim(stage.client, waiting[0]), 10)
    # When the server dies
    stage.server.kill()
    # Then the API says so at once
    assert error(post(http)) == (503, "broker_unavailable")
    for path in (f"/v1/jobs/{before}", f"/v1/jobs/{before}?wait=30", "/v1/models", "/readyz"):
        assert error(http.get(path)) == (503, "broker_unavailable")
    assert http.get("/healthz").status_code == 200
    Event().wait(AWAY_S)
    # And when it is back all go on, and nothing is lost or ends twice, though each lease is over
    stage.server.start()
    served = await_served(http)
    assert http.get(f"/v1/jobs/{before}").json()["status"] == "succeeded"
    jobs = ended(stage.store, [running, also_running, *waiting])
    assert statuses(jobs) == {"succeeded": 52}
    # A worker that needs longer than others to come back may lose what it still computes, but for its end.
    assert jobs[1].attempt in (1, 2)
    assert {job.attempt for job in jobs if job.id != also_running} == {1}
    assert stage.ends() == ends + 52 + len(served)
    await_keeper(stage)
    await_heard(stage)


def test_all_go_on_when_the_server_comes_back_empty(stage: Stage, http: httpx.Client) -> None:
    # Given a job that is done, one that is being computed, and some that wait
    done = post(http).json()["id"]
    finished(http, done)
    running = stage.occupy(3000).id
    also_running = stage.occupy(3000).id
    waiting = submit(stage.store, [willing(number) for number in range(50)])
    eventually(lambda: has_claim(stage.client, waiting[0]), 10)
    # When the server loses all that it had
    stage.server.kill()
    stage.server.forget_all()
    stage.server.start()
    # Then new jobs are taken as soon as a worker has told of its model again, and run
    await_served(http)
    # And those that were lost are said to be
    for job_id in (done, running, also_running, waiting[0], waiting[-1]):
        assert error(http.get(f"/v1/jobs/{job_id}")) in ((404, "job_not_found"), (410, "job_gone"))
        assert http.delete(f"/v1/jobs/{job_id}").status_code in (404, 410)
    await_keeper(stage)
    await_heard(stage)


def test_jobs_whose_messages_are_deleted_are_found_by_the_keeper_and_run(stage: Stage) -> None:
    ends = stage.ends()
    # Given more jobs than the workers take while they are occupied
    running = [stage.occupy(3000).id for _ in stage.workers]
    waiting = submit(stage.store, [willing(number) for number in range(150)])
    eventually(lambda: has_claim(stage.client, waiting[0]), 10)
    # When the list of those that nobody has taken is deleted
    queue = queue_list(queue_of(MODEL), 0)
    pipeline = stage.client.pipeline().lrange(queue, 0, -1).delete(queue)
    lost = job_ids(pipeline.execute()[0])
    assert len(lost) > 20
    # Then all end once, and those that were lost do so when it is certain that they were
    jobs = ended(stage.store, [*running, *waiting])
    assert statuses(jobs) == {"succeeded": len(jobs)}
    assert {job.attempt for job in jobs} == {1}
    stage.await_clean()
    assert stage.ends() == ends + len(jobs)
    late = {job.id for job in jobs if (job.started_at_us or 0) - (job.created_at_us or 0) > SETTLED_S * 1_000_000}
    assert late == lost


def test_cut_connections_of_every_kind_cost_no_job_and_no_client(stage: Stage, http: httpx.Client) -> None:
    ends = stage.ends()
    # Given jobs under way, and a client that waits for the last of them
    job_ids = submit(stage.store, [willing(number, wait_ms=100) for number in range(600)])
    # When all connections are cut, again and again
    for _ in range(4):
        Event().wait(0.5)
        for kind in ("normal", "pubsub", "replica", "master"):
            stage.client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        assert post(http).is_success
    # Then all end once, and are heard of
    assert finished(http, job_ids[-1])["status"] == "succeeded"
    jobs = ended(stage.store, job_ids)
    assert statuses(jobs) == {"succeeded": 600}
    assert {job.attempt for job in jobs} == {1}
    stage.await_clean()
    assert stage.ends() == ends + 604
    await_keeper(stage)
    await_heard(stage)


def test_a_full_disk_is_503_and_costs_no_job_that_was_accepted(stage: Stage, http: httpx.Client) -> None:
    # Given a server that goes on without its file, as one that writes it once a second does
    stage.client.config_set("appendfsync", "everysec")
    accepted: list[str] = []
    running = stage.occupy(2000).id
    with stage.server.full_disk():
        # When the disk is full
        def is_refused() -> bool:
            answer = post(http)
            if answer.is_success:
                accepted.append(answer.json()["id"])
            return error(answer) == (503, "broker_unavailable")

        eventually(is_refused, 10)
        # Then what is there can be read
        assert http.get(f"/v1/jobs/{running}").status_code == 200
        Event().wait(LEASE_S + 2)
        assert is_refused()
    # And when there is room, all goes on
    await_served(http)
    jobs = ended(stage.store, [running, *accepted])
    assert statuses(jobs) == {"succeeded": len(jobs)}
    assert {job.attempt for job in jobs} == {1}
    stage.client.config_set("appendfsync", "always")
    await_keeper(stage)
    await_heard(stage)


def test_a_server_that_ends_for_want_of_room_loses_no_job_that_was_accepted(stage: Stage, http: httpx.Client) -> None:
    # Given a server that writes its file before it answers
    accepted = [post(http, number, wait_ms=20).json()["id"] for number in range(50)]
    with stage.server.full_disk():
        # When the disk is full, and the server ends
        eventually(lambda: error(post(http)) == (503, "broker_unavailable"), 10)
        stage.server.await_end()
    # Then it has all that was accepted when it is started where there is room
    stage.server.start()
    await_served(http)
    jobs = ended(stage.store, accepted)
    assert statuses(jobs) == {"succeeded": 50}
    await_keeper(stage)
    await_heard(stage)


def test_workers_that_reconnect_or_start_while_the_server_is_full_run_what_frees_it(stage: Stage) -> None:
    # Given jobs in a server that takes no more
    running = stage.occupy(2000).id
    also_running = stage.occupy(2000).id
    job_ids = submit(stage.store, [willing(number, wait_ms=20) for number in range(500)])
    with full(stage.client):
        # When all connections are cut, and another worker comes
        stage.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        stage.workers.append(stage.crew.start().await_ready())
        # Then the jobs run
        jobs = ended(stage.store, [running, also_running, *job_ids])
        stage.await_clean()
    assert statuses(jobs) == {"succeeded": 502}
    assert {job.attempt for job in jobs} == {1}
    assert {job.worker for job in jobs} >= {worker.name for worker in stage.workers[:2]}
    newcomer = stage.workers.pop()
    newcomer.send(signal.SIGTERM)
    newcomer.await_end()
