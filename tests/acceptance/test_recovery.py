"""Processes that are killed while they are needed: the supervisor brings them back, and accepted jobs end."""

from __future__ import annotations

import json
import os
import signal

from tests.system import Running, eventually

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
