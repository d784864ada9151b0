"""Poisoned jobs are kept with their inputs until they are dropped or their time is over; the command shows them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from tasks import keys
from tasks.deliveries import MAX_ATTEMPTS
from tasks.errors import NotQuarantined
from tasks.job import Failure, FailureType, Job, Lane, Status, new_job_id
from tasks.job_end import DONE, End, JobEnds, failure_fields
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.quarantine import Quarantine
from tasks.quarantine_command import quarantine
from tests.stand_in_worker import StandInWorker
from tests.system import eventually
from tests.valkey import Valkey

ROOT = Path(__file__).parents[2]
DAY_S = 86_400


@pytest.fixture
def kept(client: redis.Redis, job_store: JobStore, registry: ModelRegistry) -> Quarantine:
    registry.expect(["digits", "hands"])
    return Quarantine(client, job_store, result_ttl_s=3600)


def poisoned(store: JobStore, model: str = "digits", payload: bytes = b"secret", **values: Any) -> Job:
    """A job that three workers died of."""
    job = Job(id=new_job_id(), model=model, version=1, **values)
    store.submit(job, payload)
    worker = StandInWorker(store, model)
    for _ in range(MAX_ATTEMPTS):
        began = worker.start(job.id)
    assert worker.fail(began, Failure(FailureType.POISONED, "Its worker died each time.")) == "done"
    return store.get(job.id)


def command(valkey: Valkey, *args: str) -> Result:
    return CliRunner().invoke(quarantine, args, env={"REDIS_URL": valkey.url})


def test_a_poisoned_job_stays_with_its_input_and_other_failures_do_not(
    client: redis.Redis, job_store: JobStore, kept: Quarantine
) -> None:
    bad = poisoned(job_store)
    other = Job(id=new_job_id(), model="digits", version=1)
    job_store.submit(other, b"no poison")
    worker = StandInWorker(job_store)
    worker.fail(worker.start(other.id), Failure(FailureType.MODEL_ERROR, "It cannot be computed."))
    [found] = kept.jobs()
    assert (found.job, found.input_bytes, found.since_us) == (bad, len(b"secret"), bad.finished_at_us)
    assert client.get(keys.job_input(bad.id)) == b"secret"
    assert not client.exists(keys.job_input(other.id))
    # And it stays for longer than other jobs do, and not for ever
    assert all(29 * DAY_S < client.ttl(key(bad.id)) <= 30 * DAY_S for key in (keys.job, keys.job_input))
    assert client.ttl(keys.job(other.id)) <= 3600
    assert client.zcard(keys.unfinished("digits")) == client.zcard(keys.running("digits")) == 0


def test_a_quarantine_keeps_the_newest_inputs_when_they_are_too_many(
    client: redis.Redis, job_store: JobStore, kept: Quarantine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.job_end.QUARANTINE_MOST_BYTES", 250)
    jobs = [poisoned(job_store, payload=bytes(100)) for _ in range(4)]
    assert [one.input_bytes for one in kept.jobs()] == [0, 0, 100, 100]
    with pytest.raises(NotQuarantined, match="not kept any more"):
        kept.retry(jobs[0].id)
    # And one that is larger than all of it is kept alone
    poisoned(job_store, payload=bytes(1000))
    assert [one.input_bytes for one in kept.jobs()] == [0, 0, 0, 0, 1000]


def test_a_poisoned_record_lives_no_shorter_than_another(client: redis.Redis, job_store: JobStore) -> None:
    job = Job(id=new_job_id(), model="digits", version=1, idempotency="digest", request="request")
    job_store.submit(job, b"payload")
    failure = failure_fields(Failure(FailureType.POISONED, "Its worker died each time."))
    ends = JobEnds(client, result_ttl_s=3600, quarantine_ttl_s=60)
    assert ends.end("digits", [End(job_id=job.id, status=Status.FAILED, fields=failure)]) == [DONE]
    assert client.ttl(keys.job_input(job.id)) <= 60
    assert 3500 < client.ttl(keys.job(job.id)) <= 3600
    assert 3500 < client.ttl(keys.idempotency("digest")) <= 3600


def test_jobs_are_listed_by_model_the_first_one_first(job_store: JobStore, kept: Quarantine) -> None:
    jobs = [poisoned(job_store, model) for model in ("hands", "digits", "hands")]
    assert [one.job.id for one in kept.jobs()] == [jobs[1].id, jobs[0].id, jobs[2].id]
    assert [one.job.id for one in kept.jobs("hands")] == [jobs[0].id, jobs[2].id]
    assert kept.jobs("unknown") == []


def test_a_retry_is_a_new_job_of_the_same_input_and_the_old_one_stays(
    client: redis.Redis, job_store: JobStore, kept: Quarantine, http: FlaskClient
) -> None:
    old = poisoned(job_store, tag="night", lane=Lane.BULK, rows=3, content_type="application/x-npy")
    again = kept.retry(old.id)
    assert again.id != old.id
    record = job_store.get(again.id)
    assert (record.status, record.attempt, record.retry_of) == (Status.QUEUED, 0, old.id)
    assert (record.tag, record.lane, record.rows, record.content_type) == ("night", "bulk", 3, "application/x-npy")
    assert client.get(keys.job_input(again.id)) == b"secret"
    assert client.llen("model.digits\x06\x169") == 2  # the stand-in worker leaves the old one's message
    assert kept.get(old.id).job == old
    assert http.get(f"/v1/jobs/{again.id}").json["retry_of"] == old.id
    assert http.get(f"/v1/jobs/{old.id}").json["retry_of"] is None


def test_what_is_dropped_frees_its_input_and_keeps_its_record_as_long_as_others(
    client: redis.Redis, job_store: JobStore, kept: Quarantine
) -> None:
    bad = poisoned(job_store)
    kept.drop(bad.id)
    assert kept.jobs() == []
    assert not client.exists(keys.job_input(bad.id))
    assert job_store.get(bad.id).failure_type == "poisoned"
    assert 0 < client.ttl(keys.job(bad.id)) <= 3600


def test_what_is_not_in_the_quarantine_is_refused_with_a_sentence(
    client: redis.Redis, job_store: JobStore, kept: Quarantine
) -> None:
    queued = Job(id=new_job_id(), model="digits", version=1)
    job_store.submit(queued, b"x")
    for job_id, said in ((queued.id, "is queued and not in the quarantine"), ("nonsense", "There is no job nonsense")):
        for action in (kept.get, kept.retry, kept.drop):
            with pytest.raises(NotQuarantined, match=said):
                action(job_id)
    assert client.get(keys.job_input(queued.id)) == b"x"
    # And one without its input can be looked at and not retried
    bad = poisoned(job_store)
    client.delete(keys.job_input(bad.id))
    assert kept.get(bad.id).input_bytes == 0
    with pytest.raises(NotQuarantined, match="is not kept any more"):
        kept.retry(bad.id)


def test_the_index_forgets_what_is_too_old_and_leaves_out_what_has_no_record(
    client: redis.Redis, job_store: JobStore, kept: Quarantine
) -> None:
    old, new, gone = (poisoned(job_store) for _ in range(3))
    client.zincrby(keys.quarantine("digits"), -10 * 1_000_000, old.id)
    client.delete(keys.job(gone.id))
    assert [one.job.id for one in kept.jobs()] == [old.id, new.id]
    kept.forget_older_than(20)
    assert client.zcard(keys.quarantine("digits")) == 3
    kept.forget_older_than(8)
    assert client.zrange(keys.quarantine("digits"), 0, -1) == [new.id.encode(), gone.id.encode()]


def test_the_command_lists_and_shows_jobs_without_what_is_in_their_inputs(
    valkey: Valkey, job_store: JobStore, kept: Quarantine
) -> None:
    bad = poisoned(job_store, content_type="application/x-npy", owner="ann")
    hands = poisoned(job_store, "hands")
    told = command(valkey, "list")
    header, first, second = told.output.splitlines()
    assert header.split() == ["id", "model", "quarantined_at", "attempt", "worker"]
    assert (first.split()[0], second.split()[0]) == (bad.id, hands.id)
    assert first.split()[3:] == ["3", "digits@host"]
    assert command(valkey, "list", "--model", "hands").output.count("\n") == 2
    listed = json.loads(command(valkey, "list", "--json").output)["jobs"]
    shown = json.loads(command(valkey, "show", bad.id, "--json").output)
    assert listed[0] == shown
    assert {name: shown[name] for name in ("attempt", "worker", "content_type", "input_bytes", "owner")} == {
        "attempt": 3,
        "worker": "digits@host",
        "content_type": "application/x-npy",
        "input_bytes": 6,
        "owner": "ann",
    }
    lines = command(valkey, "show", bad.id).output.splitlines()
    assert ["input_bytes", "6"] in [line.split() for line in lines]
    assert "secret" not in "".join(lines) + told.output + json.dumps(listed)


def test_the_command_retries_and_drops(valkey: Valkey, job_store: JobStore, kept: Quarantine) -> None:
    bad = poisoned(job_store)
    new_id = command(valkey, "retry", bad.id).output.strip()
    assert job_store.get(new_id).retry_of == bad.id
    dropped = command(valkey, "drop", bad.id)
    assert (dropped.exit_code, dropped.output) == (0, f"Job {bad.id} has left the quarantine.\n")
    assert command(valkey, "list").output == "The quarantine is empty.\n"
    assert command(valkey, "list", "--model", "digits").output == "The quarantine has no job of the model digits.\n"
    again = command(valkey, "drop", bad.id)
    assert (again.exit_code, again.output) == (
        1,
        f"Job {bad.id} of the model digits is failed and not in the quarantine.\n",
    )


def test_the_command_as_a_process_ends_with_1_and_a_sentence_when_it_cannot_do_it(valkey: Valkey) -> None:
    def run(url: str, *args: str) -> tuple[int, str]:
        words = [sys.executable, "-m", "tasks.quarantine_command", *args]
        done = subprocess.run(words, cwd=ROOT, env={**os.environ, "REDIS_URL": url}, capture_output=True, text=True)
        return done.returncode, done.stderr

    code, said = run(valkey.url, "show", "nonsense")
    assert code == 1 and said.startswith("There is no job nonsense;")
    code, said = run("redis://127.0.0.1:1/0", "list")
    assert code == 1 and said == "The broker does not answer; try again in a moment.\n"


def test_a_job_leaves_the_quarantine_by_itself_when_its_time_is_over(
    client: redis.Redis, job_store: JobStore, kept: Quarantine
) -> None:
    bad = poisoned(job_store)
    for key in (keys.job(bad.id), keys.job_input(bad.id)):
        client.pexpire(key, 10)
    eventually(lambda: not client.exists(keys.job(bad.id), keys.job_input(bad.id)), 5)
    assert kept.jobs() == []
