from __future__ import annotations

import uuid
from typing import Any

import pytest
import redis

from tasks import deliveries, job_end, keys
from tasks.deliveries import Deliveries, Delivery, Look
from tasks.job import Job, Status, new_job_id
from tasks.job_end import End, JobEnds
from tasks.job_store import JobStore
from tests.system import eventually

MODEL = "digits"
PLENTY = 1_000_000
TOKEN = "f00d:1"


@pytest.fixture
def taking(client: redis.Redis) -> Deliveries:
    return Deliveries(client, MODEL, "one@host")


@pytest.fixture
def ends(client: redis.Redis) -> JobEnds:
    return JobEnds(client, 3600)


def submit(store: JobStore, count: int, payload: bytes = b"input", **values: Any) -> list[Job]:
    jobs = [Job(**{"id": new_job_id(), "model": MODEL, "version": 1, **values}) for _ in range(count)]
    store.submit_many((job, payload) for job in jobs)
    return jobs


def claim(client: redis.Redis, job: Job, token: str = TOKEN) -> Delivery:
    """A claim as the transport's script leaves it: the owner alone says whose it is."""
    given = Delivery(str(uuid.uuid4()), token, job.id)
    client.hset(keys.OWNERS, given.tag, f"{token} 100 model.{MODEL}")
    return given


def claim_all(client: redis.Redis, jobs: list[Job]) -> list[Delivery]:
    given = [Delivery(str(uuid.uuid4()), TOKEN, job.id) for job in jobs]
    client.hset(keys.OWNERS, mapping={one.tag: f"{TOKEN} 100 model.{MODEL}" for one in given})
    return given


def words(looks: list[Look]) -> list[str]:
    return [look.word for look in looks]


def begin(taking: Deliveries, given: list[Delivery], run: str = "") -> list[int | str]:
    return taking.begin(given, run or uuid.uuid4().hex)


def test_taking_gives_all_that_is_needed_to_run_and_writes_nothing(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    values = {
        "version": 7,
        "pinned": True,
        "content_type": "image/png",
        "rows": 3,
        "min_score": 0.25,
        "annotate": True,
        "max_detections": 9,
        "signature": "predict",
    }
    [full] = submit(job_store, 1, b"\x89PNG", **values)
    [plain] = submit(job_store, 1)
    [first, second] = taking.take(claim_all(client, [full, plain]), PLENTY)
    assert first.job and {name: getattr(first.job, name) for name in values} == values
    assert (first.word, first.payload, first.job.attempt) == ("taken", b"\x89PNG", 0)
    assert second.job and (second.job.pinned, second.job.min_score, second.job.annotate) == (False, None, False)
    assert second.job.max_detections is None
    assert (job_store.get(full.id).status, job_store.get(full.id).delivery) == (Status.QUEUED, 0)


def test_a_claim_that_another_worker_has_now_is_lost_and_counts_nothing(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    [job] = submit(job_store, 1)
    given = claim(client, job, "f00d:1")
    for owner in ("beef:9", "f00d:11", "f00d:2"):
        client.hset(keys.OWNERS, given.tag, f"{owner} 100 model.digits")
        assert words(taking.take([given], PLENTY)) == [deliveries.LOST]
    client.hdel(keys.OWNERS, given.tag)
    assert words(taking.take([given], PLENTY)) == [deliveries.LOST]
    assert job_store.get(job.id).delivery == 0


def test_each_job_of_a_look_gets_its_own_word(client: redis.Redis, job_store: JobStore, taking: Deliveries) -> None:
    [good, cancelled, also_good] = submit(job_store, 3)
    [foreign] = submit(job_store, 1, model="hands")
    job_store.cancel(cancelled.id)
    missing = Job(id=new_job_id(), model=MODEL, version=1)
    given = claim_all(client, [missing, good, foreign, cancelled, also_good])
    looks = taking.take(given, PLENTY)
    assert words(looks) == ["missing", "taken", "foreign", "cancelled", "taken"]
    assert [look.job.id if look.job else None for look in looks] == [None, good.id, None, None, also_good.id]
    assert job_store.get(foreign.id).delivery == 0


def test_a_second_message_of_a_job_is_a_duplicate_while_the_first_runs(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    [job] = submit(job_store, 1)
    first, second = claim(client, job), claim(client, job, "beef:1")
    # Both in one batch, and the second in a later one
    assert begin(taking, [first, second]) == [1, "duplicate"]
    assert begin(taking, [second]) == ["duplicate"]
    # When the first is nobody's any more, the second one will do
    client.hdel(keys.OWNERS, first.tag)
    assert begin(taking, [second]) == [2]
    assert begin(taking, [first]) == ["lost"]


def test_a_look_takes_the_first_jobs_whose_inputs_fit_and_at_least_one(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    jobs = submit(job_store, 5, payload=b"x" * 100)
    given = claim_all(client, jobs)
    assert words(taking.take(given, 250)) == ["taken"] * 2
    assert words(taking.take(given[2:], 1)) == ["taken"]
    assert words(taking.take(given[3:], 200)) == ["taken"] * 2


def test_beginning_counts_the_attempt_and_makes_the_job_run(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    jobs = submit(job_store, 3, expires_in_s=60)
    given = claim_all(client, jobs)
    assert begin(taking, given) == [1] * 3
    for job in map(job_store.get, (job.id for job in jobs)):
        assert (job.status, job.delivery, job.attempt, job.worker) == (Status.RUNNING, 1, 1, "one@host")
        assert job.queue_ms is not None and job.queue_ms >= 0
    assert client.zcard(keys.running(MODEL)) == 3
    assert client.zcard(keys.DEADLINES) == 0


def test_a_batch_of_more_jobs_than_lua_unpacks_begins(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    jobs = submit(job_store, 4100)
    given = claim_all(client, jobs)
    assert begin(taking, given) == [1] * len(jobs)
    assert client.zcard(keys.running(MODEL)) == len(jobs)


def test_asking_to_begin_again_for_the_same_run_counts_nothing_twice(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    [job] = submit(job_store, 1)
    given = claim_all(client, [job])
    assert begin(taking, given, run="a") == begin(taking, given, run="a") == [1]
    assert job_store.get(job.id).attempt == 1
    assert begin(taking, given, run="b") == [2]
    assert job_store.get(job.id).attempt == 2


def test_a_job_that_another_worker_has_claimed_does_not_begin_here(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    [lost] = submit(job_store, 1)
    given = claim_all(client, [lost])
    client.hset(keys.OWNERS, given[0].tag, "beef:1 100 model.digits")
    assert begin(taking, given) == ["lost"]
    assert job_store.get(lost.id).attempt == 0


def test_a_job_whose_deadline_passed_after_it_was_taken_is_late(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    [late] = submit(job_store, 1, expires_in_s=0.01)
    [in_time] = submit(job_store, 1, expires_in_s=60)
    given = claim_all(client, [late, in_time])
    created_at_us = job_store.get(late.id).created_at_us or 0
    eventually(lambda: client.time()[0] * 1_000_000 + client.time()[1] > created_at_us + 20_000)
    assert begin(taking, given) == ["late", 1]
    assert job_store.get(late.id).attempt == 0


def test_a_job_that_had_begun_runs_again_although_its_deadline_has_passed(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    [job] = submit(job_store, 1, expires_in_s=0.2)
    given = claim_all(client, [job])
    assert begin(taking, given) == [1]
    created_at_us = job_store.get(job.id).created_at_us or 0
    eventually(lambda: client.time()[0] * 1_000_000 + client.time()[1] > created_at_us + 300_000)
    assert begin(taking, given) == [2]


def test_a_job_that_had_its_attempts_is_poisoned_and_its_neighbour_runs(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    [killer, other] = submit(job_store, 2)
    for attempt in range(deliveries.MAX_ATTEMPTS):
        given = [claim(client, killer)]
        assert begin(taking, given) == [attempt + 1]
        client.delete(keys.OWNERS)
    given = claim_all(client, [killer, other])
    assert begin(taking, given) == ["poisoned", 1]
    assert job_store.get(killer.id).attempt == deliveries.MAX_ATTEMPTS


def test_a_job_that_ended_after_it_was_taken_does_not_begin(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    [cancelled, gone, good] = submit(job_store, 3)
    given = claim_all(client, [cancelled, gone, good])
    job_store.cancel(cancelled.id)
    client.delete(keys.job(gone.id))
    assert begin(taking, given) == ["cancelled", "missing", 1]


def test_many_jobs_end_at_once_each_with_its_own_result(
    client: redis.Redis, job_store: JobStore, taking: Deliveries, ends: JobEnds
) -> None:
    jobs = submit(job_store, 603, expires_in_s=60)
    given = claim_all(client, jobs)
    assert begin(taking, given) == [1] * len(jobs)
    with client.pubsub() as heard:
        heard.subscribe(keys.ENDED)
        assert ends.end(MODEL, [succeeded(job, number) for number, job in enumerate(jobs)]) == ["done"] * len(jobs)
        confirmed, *told = [message for _ in range(3) if (message := heard.get_message(timeout=5))]
    assert confirmed["type"] == "subscribe"
    lines = [line for message in told for line in message["data"].decode().split("\n")]
    assert lines == [f"{job.id} succeeded" for job in jobs]
    for number, job in enumerate(jobs):
        record = job_store.get(job.id)
        assert (record.status, record.compute_ms) == (Status.SUCCEEDED, float(number))
        assert job_store.result(job.id) == {"y": str(number).encode(), "z": b""}
    assert client.hgetall(keys.finished(MODEL)) == {b"succeeded": b"603"}
    for key in (keys.unfinished(MODEL), keys.running(MODEL), keys.DEADLINES):
        assert client.zcard(key) == 0
    assert not client.exists(*(keys.job_input(job.id) for job in jobs))
    assert all(0 < client.ttl(key(jobs[7].id)) <= 3600 for key in (keys.job, keys.job_result))


def test_large_results_are_stored_in_several_steps(job_store: JobStore, ends: JobEnds, client: redis.Redis) -> None:
    # Given results of 12 MiB, of which two fit into a step
    jobs = submit(job_store, 5)
    part = b"r" * 12_582_912
    before = scripts_run(client)
    words = ends.end(MODEL, [End(job_id=job.id, status=Status.SUCCEEDED, result={"y": part}) for job in jobs])
    assert words == ["done"] * 5
    assert scripts_run(client) - before == 3
    assert [client.hstrlen(keys.job_result(job.id), "y") for job in jobs] == [len(part)] * 5


def test_a_result_larger_than_a_step_goes_alone(job_store: JobStore, ends: JobEnds, client: redis.Redis) -> None:
    jobs = submit(job_store, 3)
    results = [b"small", b"r" * 34_000_000, b"small"]
    given = [
        End(job_id=job.id, status=Status.SUCCEEDED, result={"y": part}) for job, part in zip(jobs, results, strict=True)
    ]
    assert ends.end(MODEL, given) == ["done"] * 3
    assert [client.hstrlen(keys.job_result(job.id), "y") for job in jobs] == list(map(len, results))


def test_ends_that_do_not_count_say_why_and_change_nothing(
    client: redis.Redis, job_store: JobStore, taking: Deliveries, ends: JobEnds
) -> None:
    [good, stale, cancelled, twice] = jobs = submit(job_store, 4)
    given = claim_all(client, jobs)
    assert begin(taking, given) == [1] * 4
    assert begin(taking, given[1:2]) == [2]
    job_store.cancel(cancelled.id)
    missing = Job(id=new_job_id(), model=MODEL, version=1)
    words = ends.end(MODEL, [succeeded(job, 5) for job in (missing, stale, good, cancelled, twice, twice)])
    assert words == [job_end.MISSING, job_end.STALE, "done", "cancelled", "done", "succeeded"]
    assert job_store.find(missing.id) is None
    assert job_store.get(stale.id).status is Status.RUNNING and job_store.result(stale.id) == {}
    assert client.get(keys.job_input(stale.id)) == b"input"
    assert job_store.result(cancelled.id) == {}
    assert client.hgetall(keys.finished(MODEL)) == {b"succeeded": b"2", b"cancelled": b"1"}
    assert client.zrange(keys.unfinished(MODEL), 0, -1) == [stale.id.encode()]


def test_nothing_to_end_asks_nobody(client: redis.Redis, ends: JobEnds) -> None:
    before = scripts_run(client)
    assert ends.end(MODEL, []) == []
    assert scripts_run(client) == before


def succeeded(job: Job, number: int) -> End:
    return End(
        job_id=job.id,
        status=Status.SUCCEEDED,
        delivery=1,
        fields={"version": "1", "compute_ms": f"{number:.3f}"},
        result={"y": str(number).encode(), "z": b""},
    )


def scripts_run(client: redis.Redis) -> int:
    """How many calls of scripts succeeded; the first of each is told that it is not known yet."""
    stats: Any = client.info("commandstats").get("cmdstat_evalsha", {"calls": 0, "failed_calls": 0})
    return int(stats["calls"] - stats["failed_calls"])


def test_no_job_of_a_paused_model_begins_and_one_that_has_begun_is_told_so_again(
    client: redis.Redis, job_store: JobStore, taking: Deliveries
) -> None:
    running, waiting, ended = submit(job_store, 3)
    given = claim_all(client, [running, waiting, ended])
    assert begin(taking, given[:1], run="a") == [1]
    job_store.cancel(ended.id)
    # When its model is paused, and another model too
    client.sadd(keys.PAUSED, f"model.{MODEL}", "model.other")
    # Then nothing begins, what has begun runs on, and what has ended says so
    assert begin(taking, given, run="a") == [1, "paused", "cancelled"]
    job = job_store.get(waiting.id)
    assert (job.status, job.delivery, job.attempt) == (Status.QUEUED, 0, 0)
    client.srem(keys.PAUSED, f"model.{MODEL}")
    assert begin(taking, given[1:2]) == [1]
