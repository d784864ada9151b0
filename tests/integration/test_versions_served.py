"""A real worker behind the API: versions come, crash and go while clients are at work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.broker import connect
from tasks.job import Job, Status
from tasks.job_store import JobStore
from tests.batching_stage import batches
from tests.http_clients import clients
from tests.live_api import LiveApi
from tests.live_worker import ROOT, LiveWorker, ended, linear_job, submit
from tests.system import eventually
from tests.tiny_models import add_linear
from tests.valkey import Valkey

TOML = "[batching]\nmax_batch_size = 8\n"

#: Python imports this in each process that starts. A version's number is the last word of its trial's command.
CRASH = """
import os, sys
if "tasks.versions.trial_load" in sys.orig_argv:
    if sys.orig_argv[-1] == "13":
        os.abort()
    if sys.orig_argv[-1] == "3":
        # That a trial loads a model shows with version 2; this one need not take its time.
        os._exit(0)
"""


@dataclass(frozen=True)
class Stage:
    """A worker of the model `linear`, the API, and the store with the model."""

    folder: Path
    worker: LiveWorker
    api: LiveApi
    store: JobStore

    def add(self, version: int) -> Path:
        """Put a version into the store in one step, as it should be done."""
        artifact = add_linear(self.folder / "made", "linear", "saved_model", version, TOML)
        return artifact.rename(self.folder / "store" / "linear" / str(version))

    def model(self) -> dict[str, Any]:
        """What the API shows of the model."""
        shown: dict[str, Any] = httpx.get(f"{self.api.url}/v1/models/linear").json()
        return shown

    def await_model(self, **values: Any) -> dict[str, Any]:
        """Wait until the API shows these values."""
        eventually(lambda: values.items() <= self.model().items(), 60)
        return self.model()

    def run(self, **values: Any) -> Job:
        """Have a job run that was accepted some time ago."""
        job, payload = linear_job(1)
        [job] = ended(self.store, submit(self.store, [(replace(job, **values), payload)]))
        return job


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("versions")
    (folder / "valkey").mkdir()
    (folder / "path").mkdir()
    (folder / "path" / "sitecustomize.py").write_text(CRASH)
    server = Valkey(folder / "valkey")
    server.start()
    add_linear(folder / "store", "linear", "saved_model", 1, TOML)
    environment = {"CELERIAC_VERSION_POLL_S": "1", "PYTHONPATH": os.pathsep.join([str(folder / "path"), str(ROOT)])}
    worker = LiveWorker(folder / "store", server.url, "linear", folder / "worker", **environment)
    api = LiveApi(folder, server.url)
    client = connect(server.url)
    try:
        worker.start().await_ready()
        api.start().await_ready()
        yield Stage(folder, worker, api, JobStore(client, 3600))
    finally:
        worker.kill()
        api.stop()
        client.close()
        server.stop()


def test_jobs_go_on_over_a_change_of_versions_and_none_runs_on_the_old_one_after_the_new(stage: Stage) -> None:
    with clients(stage.api.url, "linear", lambda number: {"x": [[number] * 3]}) as working:
        working.await_more()
        stage.add(2)
        stage.await_model(version=2, versions=[2])
        working.await_more()
    assert (working.surprises, working.retries) == ([], [])
    records = sorted(working.records.values(), key=lambda record: str(record["started_at"]))
    versions = [record["version"] for record in records]
    assert versions == sorted(versions)
    assert set(versions) == {1, 2}


def test_a_version_that_crashes_what_loads_it_leaves_the_worker_and_what_it_serves(stage: Stage) -> None:
    before = stage.model()
    pid = stage.worker.pid
    stage.add(13)
    eventually(lambda: stage.model()["failures"], 60)
    model = stage.model()
    [failure] = model["failures"]
    assert failure["version"] == 13
    assert failure["reason"] == "Version 13 was tried in a process of its own, which died by SIGABRT."
    assert (model["version"], model["workers"]) == (before["version"], before["workers"])
    assert (stage.run().status, stage.worker.pid) == (Status.SUCCEEDED, pid)
    (stage.folder / "store" / "linear" / "13").rename(stage.folder / "13")
    stage.await_model(failures=[])


def test_a_job_that_was_accepted_for_a_version_waits_until_it_is_loaded_again(stage: Stage) -> None:
    # Given a version that no label has any more
    eventually(lambda: stage.model()["workers"][0]["versions"] == [2], 40)
    (stage.folder / "store" / "linear" / "versions.toml").write_text("[labels]\nstable = 2\n")
    stage.await_model(labels_of_versions={"latest": 2, "stable": 2})
    stage.add(3)
    stage.await_model(version=2, versions=[2, 3])
    # When jobs come that name it, and others that name none
    job = stage.run(version=1, pinned=True)
    assert (job.status, job.version) == (Status.SUCCEEDED, 1)
    assert [stage.run(version=number, pinned=True).version for number in (1, 2, 3)] == [1, 2, 3]
    assert stage.run(version=1).version == 2
    lost = stage.run(version=9, pinned=True)
    assert (lost.status, lost.failure_type) == (Status.FAILED, "version_not_served")
    assert "Version 9 was asked for, and has left the model store since. Served are: 2, 3." in lost.failure_message


def test_a_batch_is_of_one_version(stage: Stage) -> None:
    made = [linear_job(number) for number in range(200)]
    pinned = [(replace(job, version=2 + n % 2, pinned=True), payload) for n, (job, payload) in enumerate(made)]
    jobs = ended(stage.store, submit(stage.store, pinned))
    assert [job.version for job in jobs] == [2, 3] * 100
    assert {len({job.version for job in batch}) for batch in batches(jobs)} == {1}
    assert max(map(len, batches(jobs))) > 1


def test_a_worker_that_is_stopped_amid_a_load_ends_as_ever(stage: Stage) -> None:
    stage.add(4)
    eventually(lambda: "Version 4 of linear is tried" in stage.worker.output(), 20)
    stage.worker.process.terminate()
    assert stage.worker.code() == 0
