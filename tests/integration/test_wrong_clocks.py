"""Workers whose clocks are hours off, ahead and behind: only the server's clock counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tasks.broker import connect, server_time_us
from tasks.job import Status
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tests.batching_stage import willing
from tests.live_worker import ROOT, LiveWorker, ended, is_clean, make_job, statuses, submit
from tests.shifted_clock import shift_clock
from tests.system import eventually
from tests.valkey import Valkey
from tests.worker_models import add_willing, willing_inputs

#: More than the hour after which kombu takes an unacknowledged message for lost.
OFF_S = 7200


@pytest.fixture
def workers(valkey: Valkey, tmp_path: Path) -> Iterator[list[LiveWorker]]:
    add_willing(tmp_path / "models", "willing")
    made = []
    for name, off_s in (("ahead", OFF_S), ("behind", -OFF_S)):
        path = f"{shift_clock(tmp_path / f'clock-{name}', off_s)}:{ROOT}"
        made.append(LiveWorker(tmp_path / "models", valkey.url, "willing", tmp_path / name, name, PYTHONPATH=path))
    try:
        for worker in made:
            worker.start()
        yield made
    finally:
        for worker in made:
            worker.kill()


def test_workers_whose_clocks_are_hours_off_share_a_backlog_as_others_do(
    workers: list[LiveWorker], valkey: Valkey, job_store: JobStore, registry: ModelRegistry
) -> None:
    for worker in workers:
        worker.await_ready()
    # Given jobs for both of longer than a lease, some with a deadline, and one whose deadline has passed
    with connect(valkey.url) as client:
        began_us = server_time_us(client)
        long = [occupy(job_store), occupy(job_store)]
        # When both have to connect anew, and look for what others have left lying
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        others = [make_job("willing", willing_inputs(number), expires_in_s=60) for number in range(200)]
        waiting = submit(job_store, others)
        [late] = submit(job_store, [make_job("willing", willing_inputs(1), expires_in_s=0.001)])
        # Then each runs once, by nobody's clock but the server's
        jobs = ended(job_store, [*long, *waiting])
        assert statuses(jobs) == {"succeeded": 202}
        assert {job.attempt for job in jobs} == {1}
        for job in jobs:
            assert began_us <= (job.created_at_us or 0) <= (job.started_at_us or 0) <= (job.finished_at_us or 0)
            assert (job.finished_at_us or 0) <= server_time_us(client)
        assert ended(job_store, [late])[0].status is Status.EXPIRED
        eventually(lambda: is_clean(client, "willing"), 20)
    # And both count as live
    assert {worker.name for worker in registry.get("willing").workers} == {"ahead@tests", "behind@tests"}
    ahead, behind = map(clock_off_s, workers)
    assert (ahead > OFF_S - 120, behind < 120 - OFF_S) == (True, True)


def occupy(job_store: JobStore) -> str:
    """Have a worker compute for longer than its lease."""
    [job_id] = submit(job_store, [willing(1, wait_ms=5000)])
    eventually(lambda: job_store.get(job_id).status is Status.RUNNING, 10)
    return job_id


def clock_off_s(worker: LiveWorker) -> float:
    """By how much the clock of a worker is ahead, to judge by the last line of its log."""
    written = re.findall(r"^\[(\S+ \d\d:\d\d:\d\d),", worker.output(), re.MULTILINE)[-1]
    return (datetime.fromisoformat(written) - datetime.now()).total_seconds()
