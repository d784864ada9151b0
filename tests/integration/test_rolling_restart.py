"""Workers of a model, and the API, are replaced one after the other while clients are at work."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.http_clients import Clients, clients
from tests.live_worker import records
from tests.recovery_stage import MODEL, Stage, inputs_json, open_recovery_stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_recovery_stage(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


def assert_each_ran_once(stage: Stage, working: Clients, ends: int) -> None:
    """None is lost, none is run twice, and nothing is left behind."""
    assert working.surprises == []
    jobs = records(stage.store, list(working.records))
    assert {(job.status, job.attempt, job.delivery) for job in jobs} == {("succeeded", 1, 1)}
    stage.await_clean()
    # A job whose client was cut off before it heard of it is submitted again, and ends too.
    assert ends + len(jobs) <= stage.ends() <= ends + len(jobs) + len(working.retries)


def test_a_rolling_restart_of_two_workers_under_load_loses_and_repeats_nothing(stage: Stage) -> None:
    ends = stage.ends()
    # Given clients whose jobs take both workers some time
    with clients(stage.api.url, MODEL, lambda number: inputs_json(number, wait_ms=30), count=8) as working:
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
    assert names == {"w0@tests", "w1@tests", "w2@tests", "w3@tests"}


def test_an_api_that_is_stopped_under_load_costs_its_clients_a_retry_at_most(stage: Stage) -> None:
    ends = stage.ends()
    with clients(stage.api.url, MODEL, lambda number: inputs_json(number, wait_ms=30), count=8) as working:
        for _ in range(2):
            working.await_more()
            assert stage.api.stop() == 0
            stage.api.start().await_ready()
            working.await_more()
    assert_each_ran_once(stage, working, ends)
