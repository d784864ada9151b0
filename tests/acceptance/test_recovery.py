"""Processes that are killed while they are needed: the supervisor brings them back, and accepted jobs end."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import httpx

from tests.processes import REAL, Systems, until
from tests.recovery_stage import MODEL, finished, post
from tests.system import START_TIMEOUT_S, Running, eventually
from tests.worker_models import add_willing

ROW = {"instances": [[1.0, 2.0, 3.0]]}


def worker_pid(system: Running, model: str) -> int | None:
    members = system.redis().zrange(f"celeriac:model:{model}:workers", 0, -1)
    return json.loads(members[0])["pid"] if members else None


def test_a_job_whose_worker_is_killed_runs_again_and_succeeds(system: Running) -> None:
    # Given a job that a worker computes
    with system.http() as http:
        job_id = http.post("/v1/models/slow-h5/jobs", json={"instances": [[0.0]]}).json()["id"]
        eventually(lambda: http.get(f"/v1/jobs/{job_id}").json()["status"] == "running")
    pid = worker_pid(system, "slow-h5")
    # When the worker is killed
    os.kill(pid, signal.SIGKILL)
    # Then another one takes its place and the job is run a second time
    eventually(lambda: worker_pid(system, "slow-h5") not in (None, pid), 90)
    record = system.finished(job_id)
    assert (record["status"], record["attempt"]) == ("succeeded", 2)
    assert any("worker-slow-h5 died (terminated by SIGKILL)" in line for line in system.said), system.said


def test_a_broker_that_is_killed_loses_nothing_and_all_go_on_by_themselves(system: Running) -> None:
    # Given jobs that wait, and one that is done
    done = system.answer("linear-pb", json=ROW)
    with system.http() as http:
        waiting = [http.post("/v1/models/slow-h5/jobs", json={"instances": [[0.0]]}).json()["id"] for _ in range(2)]
        # When the broker is killed
        os.kill(system.redis().info("server")["process_id"], signal.SIGKILL)
        # Then the API says so instead of losing a job, until the broker is back
        answers = [http.post("/v1/models/linear-pb/jobs", json=ROW)]
        assert answers[0].status_code == 503, answers[0].text
        assert answers[0].json()["error"]["type"] == "broker_unavailable"
        assert "Retry-After" in answers[0].headers
        assert http.get("/healthz").status_code == 200
        eventually(lambda: http.post("/v1/models/linear-pb/jobs", json=ROW).status_code == 202, 60)
        # And what was there is there, what waited runs, and what comes is served
        assert http.get(f"/v1/jobs/{done['id']}").json()["result"] == done["result"]
    for job_id in waiting:
        assert system.finished(job_id)["status"] == "succeeded"
    assert system.answer("linear-pb", json=ROW)["status"] == "succeeded"


def test_jobs_that_were_accepted_before_up_was_killed_as_a_whole_succeed_when_it_is_started_again(
    systems: Systems,
) -> None:
    # Given jobs of which one is being computed and the others wait
    system = systems(CELERIAC_LEASE_S="3", CELERIAC_PARALLEL_BATCHES="1")
    add_willing(Path(system.environment["CELERIAC_MODEL_STORE"]), MODEL)
    system.start(module=REAL).await_line(f"{MODEL}: ready", START_TIMEOUT_S)
    with httpx.Client(base_url=f"http://127.0.0.1:{system.environment['PORT']}", timeout=70) as http:
        accepted = [post(http, number, wait_ms=3000) for number in range(30)]
        assert {answer.status_code for answer in accepted} == {202}
        until(lambda: http.get(accepted[0].headers["Location"]).json()["status"] == "running")
        # When front, guard and supervisord are killed at once
        guard, supervisord = system.find("tasks.supervisor.guard"), system.find("supervisor.supervisord")
        for one in (guard, system.process, supervisord):
            one.kill()
        # Then nothing goes on without them
        assert system.code() == -signal.SIGKILL
        until(lambda: not system.processes())
        # And all jobs succeed when they are started again
        system.start(module=REAL).await_line(f"{MODEL}: ready", START_TIMEOUT_S)
        for number, answer in enumerate(accepted):
            record = finished(http, answer.json()["id"])
            assert record["status"] == "succeeded", record
            assert record["result"]["outputs"]["y"] == [[2.0 * number + 1]]
