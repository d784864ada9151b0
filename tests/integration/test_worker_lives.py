"""Workers that compute for long, stand still, are replaced and die: a job has one owner, and one end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from threading import Event

import pytest

from tasks.broker import server_time_us
from tasks.job import Status
from tasks.reconnect import TIME_TO_RETURN_S
from tests.batching_stage import willing
from tests.http_clients import Clients, clients
from tests.live_worker import ended, records, submit
from tests.recovery_stage import LEASE_S, MODEL, Stage, Worker, inputs_json, open_recovery_stage
from tests.system import eventually


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_recovery_stage(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture(autouse=True)
def left_clean(stage: Stage) -> Iterator[None]:
    yield
    stage.await_clean()


def other(stage: Stage, name: str) -> Worker:
    return next(worker for worker in stage.workers if worker.name != name)


def test_a_job_whose_worker_is_killed_runs_elsewhere_within_the_lease_and_five_seconds(stage: Stage) -> None:
    ends = stage.ends()
    # Given workers that have never stood still: those that have leave others' claims alone for a while
    begun = stage.occupy(1000)
    killed = stage.worker(begun.worker)
    heir = other(stage, begun.worker)
    # When a worker is killed amid a job
    killed.send(signal.SIGKILL)
    killed_us = server_time_us(stage.client)
    # Then the other one begins it in time, and its answer is the one
    [job] = ended(stage.store, [begun.id])
    assert (job.status, job.worker, job.attempt, job.delivery) == (Status.SUCCEEDED, heir.name, 2, 2)
    assert (job.started_at_us or 0) - killed_us < (LEASE_S + 5) * 1_000_000
    assert stage.ends() == ends + 1
    stage.workers.remove(killed)
    stage.workers.append(stage.crew.start().await_ready())


def test_a_call_ten_times_longer_than_the_lease_runs_once_though_the_server_hangs_again_and_again(stage: Stage) -> None:
    ends = stage.ends()
    # Given a job that takes ten leases, and another worker that would take it
    begun = stage.occupy(LEASE_S * 10_000)
    # When the server hangs for half a lease, four times
    for _ in range(4):
        stage.hang_server(LEASE_S / 2)
        Event().wait(LEASE_S / 2)
    # Then it runs once, where it began
    [job] = ended(stage.store, [begun.id])
    assert (job.status, job.attempt, job.delivery, job.worker) == (Status.SUCCEEDED, 1, 1, begun.worker)
    assert job.compute_ms and job.compute_ms > LEASE_S * 10_000
    assert stage.ends() == ends + 1


@pytest.mark.parametrize("goes_on", ["while the other computes", "when the other is done"])
def test_a_worker_that_stood_still_past_its_lease_writes_nothing_over_the_others_answer(
    stage: Stage, goes_on: str
) -> None:
    ends = stage.ends()
    # Given a worker that is stopped while it computes, and another that has its job by now
    begun = stage.occupy(1500)
    stalled, heir = stage.worker(begun.worker), other(stage, begun.worker)
    stalled.send(signal.SIGSTOP)
    # which may have stood still a moment ago itself, and leaves others' claims alone for a lease and some seconds then
    eventually(lambda: stage.store.get(begun.id).worker == heir.name, 2 * LEASE_S + TIME_TO_RETURN_S + 5)
    # When it goes on
    if goes_on == "when the other is done":
        ended(stage.store, [begun.id])
    before = stage.store.get(begun.id)
    stalled.send(signal.SIGCONT)
    # Then the answer is the other's, and stays so when the first has computed its own
    [job] = ended(stage.store, [begun.id])
    assert (job.status, job.worker, job.attempt, job.delivery) == (Status.SUCCEEDED, heir.name, 2, 2)
    assert (job.started_at_us, job.delivery) == (before.started_at_us, before.delivery)
    # To the first, its call took the whole time that it stood still, more than the lease.
    assert 1500 <= (job.compute_ms or 0) < LEASE_S * 1000
    heir.send(signal.SIGSTOP)
    try:
        [after] = ended(stage.store, submit(stage.store, [willing(2)]))
    finally:
        heir.send(signal.SIGCONT)
    assert (after.worker, after.attempt) == (stalled.name, 1)
    assert stage.store.get(begun.id) == job
    assert stage.ends() == ends + 2


def assert_each_ran_once(stage: Stage, working: Clients, ends: int) -> None:
    """None is lost, none is run twice, and nothing is left behind."""
    assert working.surprises == []
    jobs = records(stage.store, list(working.records))
    assert len(jobs) == len(working.requests)
    assert {(job.status, job.attempt, job.delivery) for job in jobs} == {("succeeded", 1, 1)}
    stage.await_clean()
    # Nor is there a second job of a request whose client was cut off before it heard of the first.
    assert stage.ends() == ends + len(jobs)


def test_a_rolling_restart_of_two_workers_under_load_loses_and_repeats_nothing(stage: Stage) -> None:
    ends = stage.ends()
    before = {worker.name for worker in stage.workers}
    # Given clients whose jobs take both workers some time
    with clients(stage.api.url, MODEL, lambda number: inputs_json(number, wait_ms=300), count=8) as working:
        working.await_more()
        # When one worker after the other is told to stop, and another takes its place
        for worker in list(stage.workers):
            worker.send(signal.SIGTERM)
            worker.await_end()
            stage.workers.remove(worker)
            working.await_more()
            stage.workers.append(stage.crew.start().await_ready())
            working.await_more()
    # Then no client has noticed
    assert working.retries == []
    assert_each_ran_once(stage, working, ends)
    names = {job.worker for job in records(stage.store, list(working.records))}
    assert names == before | {worker.name for worker in stage.workers}


def test_an_api_that_is_stopped_under_load_costs_its_clients_a_retry_at_most(stage: Stage) -> None:
    ends = stage.ends()
    with clients(stage.api.url, MODEL, lambda number: inputs_json(number, wait_ms=30), count=8) as working:
        working.await_more()
        assert stage.api.stop() == 0
        stage.api.start().await_ready()
        working.await_more()
    assert_each_ran_once(stage, working, ends)
