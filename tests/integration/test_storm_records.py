"""What the storm's audit reads in Redis: records, and what should not be left there."""

from __future__ import annotations

import redis

from benchmarks.storm import lifetimes, records
from benchmarks.storm.audit import Found
from benchmarks.storm.sums import rows_of
from tasks import keys
from tasks.job import Failure, FailureType, Job, Status, new_job_id
from tasks.job_end import End, JobEnds, failure_fields
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.npy import encode_npy
from tasks.payload import encode_arrays
from tasks.queues import queue_list, queue_of
from tests.system import eventually

QUEUE = queue_list(queue_of("double"), 0)


def submitted(store: JobStore, **values: str) -> Job:
    content_type, payload = encode_arrays({"x": rows_of(3)})
    job = Job(id=new_job_id(), model="double", version=1, content_type=content_type, rows=1, **values)
    store.submit(job, payload)
    return job


def test_a_job_that_waits_is_found_in_every_place_where_it_leaves_a_trace(
    client: redis.Redis, job_store: JobStore
) -> None:
    job = submitted(job_store)
    left = records.leftovers(client)
    assert {QUEUE, keys.unfinished("double"), keys.input_bytes("double")} <= set(left)
    assert left["keys of jobs without a lifetime"] == 2
    assert records.unfinished(client) == 1
    assert records.read_all(client, [job.id, "another"]) == {job.id: Found("queued", "", 0, 0, None)}


def test_a_job_that_has_ended_leaves_its_answer_and_nothing_else(client: redis.Redis, job_store: JobStore) -> None:
    job = submitted(job_store)
    client.delete(QUEUE)
    output = encode_npy(rows_of(3))
    end = End(job_id=job.id, status=Status.SUCCEEDED, result={"output:0:y": output})
    JobEnds(client, result_ttl_s=60).end("double", [end])
    (found,) = records.read_all(client, [job.id]).values()
    assert (found.status, found.output) == ("succeeded", output)
    assert (records.ended(client), records.unfinished(client)) == (1, 0)
    assert records.leftovers(client) == {}
    # And a result that would stay for ever is noticed
    client.persist(keys.job_result(job.id))
    assert records.leftovers(client) == {"keys of jobs without a lifetime": 1}


def test_nothing_of_jobs_is_left_after_their_lifetimes_but_what_has_none(
    client: redis.Redis, job_store: JobStore, registry: ModelRegistry
) -> None:
    registry.expect(["double"])
    good, poison = submitted(job_store, idempotency="key", request="body"), submitted(job_store)
    client.delete(QUEUE)
    output = encode_npy(rows_of(3))
    failed = failure_fields(Failure(FailureType.POISONED, "Its worker died each time."))
    ends = [
        End(job_id=good.id, status=Status.SUCCEEDED, result={"output:0:y": output}),
        End(job_id=poison.id, status=Status.FAILED, fields=failed),
    ]
    assert JobEnds(client, result_ttl_s=3600).end("double", ends) == ["done", "done"]
    assert records.quarantined(client) == {poison.id}
    # Two records, a result, an idempotency, the input that is in quarantine; the quarantine's index, and the listing
    assert lifetimes.survivors(client) == {
        "keys of jobs after their lifetimes": 5,
        keys.quarantine("double"): 1,
        keys.listing(""): 1,
        keys.LISTED: 1,
    }
    client.persist(keys.job_result(good.id))
    lifetimes.shorten(client)
    eventually(lambda: lifetimes.survivors(client) == {"keys of jobs after their lifetimes": 1}, 10)
    client.delete(keys.job_result(good.id))
    assert lifetimes.survivors(client) == {}
