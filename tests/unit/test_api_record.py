from __future__ import annotations

from dataclasses import replace

from api.record import poll_headers, queue_json
from tasks.job import Job, Lane, Status
from tasks.record_json import record_json

ID = "01a20035-9b78-72bf-aa03-3a48c3d6bfd9"


def test_a_record_has_every_field_from_the_start() -> None:
    job = Job(id=ID, model="digits", version=2, created_at_us=1_790_000_000_000_001)
    assert record_json(job) == {
        "id": ID,
        "model": "digits",
        "version": 2,
        "label": None,
        "status": "queued",
        "lane": "interactive",
        "tag": "",
        "signature": None,
        "rows": 1,
        "created_at": "2026-09-21T14:13:20.000001Z",
        "started_at": None,
        "finished_at": None,
        "queue_ms": None,
        "compute_ms": None,
        "attempt": 0,
        "worker": "",
        "retry_of": None,
        "failure": None,
        "links": {"self": f"/v1/jobs/{ID}", "result": f"/v1/jobs/{ID}/result", "model": "/v1/models/digits"},
    }
    assert poll_headers(job) == {"Retry-After": "1"}


def test_a_job_that_waits_is_told_how_many_are_in_front_of_it_and_another_nothing() -> None:
    job = Job(id=ID, model="digits", version=2)
    assert queue_json(job, 20, 8.0) == {"queue_position": 20, "estimated_start_s": 2.5}
    assert queue_json(job, 20, None) == {"queue_position": 20, "estimated_start_s": None}
    for status in set(Status) - {Status.QUEUED}:
        assert set(queue_json(replace(job, status=status), 20, 8.0).values()) == {None}


def test_a_failed_job_says_why_and_when() -> None:
    job = Job(
        id=ID,
        model="digits",
        version=2,
        status=Status.FAILED,
        lane=Lane.BULK,
        created_at_us=1_790_000_000_000_000,
        started_at_us=1_790_000_000_001_500,
        finished_at_us=1_790_000_001_000_000,
        failure_type="model_error",
        failure_message="It broke.",
    )
    record = record_json(job)
    assert record["failure"] == {"type": "model_error", "message": "It broke."}
    assert (record["queue_ms"], record["finished_at"]) == (1.5, "2026-09-21T14:13:21.000000Z")
    assert poll_headers(job) == {}
