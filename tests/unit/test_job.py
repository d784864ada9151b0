from __future__ import annotations

import time
import uuid
from typing import Any

from tasks.job import Job, Lane, Status, id_time_s, may_be_gone, new_job_id


def stored(job: Job) -> dict[bytes, bytes]:
    return {name.encode(): str(value).encode() for name, value in job.to_hash().items()}


def test_a_record_survives_the_way_through_redis() -> None:
    job = Job(
        id=new_job_id(),
        model="digits",
        version=3,
        status=Status.FAILED,
        lane=Lane.BULK,
        min_score=0.5,
        annotate=True,
        signature="predict",
        created_at_us=1_700_000_000_000_001,
        failure_type="model_error",
        failure_message="Grund: Maß",
    )
    assert Job.from_hash(job.id, stored(job)) == job


def test_a_field_of_a_later_schema_is_passed_over() -> None:
    job = Job(id=new_job_id(), model="digits", version=1)
    assert Job.from_hash(job.id, stored(job) | {b"colour": b"red"}) == job


def test_a_retry_has_all_that_its_client_asked_for_and_nothing_of_what_became_of_it() -> None:
    asked: dict[str, Any] = {
        "model": "digits",
        "version": 3,
        "pinned": True,
        "owner": "ann",
        "lane": Lane.BULK,
        "tag": "night",
        "content_type": "image/png",
        "rows": 2,
        "min_score": 0.5,
        "max_detections": 7,
        "annotate": True,
        "signature": "predict",
        "expires_in_s": 60.0,
    }
    became = {"status": Status.FAILED, "attempt": 3, "delivery": 3, "worker": "one", "failure_type": "poisoned"}
    job = Job(id=new_job_id(), created_at_us=5, started_at_us=6, finished_at_us=7, **asked, **became)
    again = new_job_id()
    assert job.retry(again) == Job(id=again, retry_of=job.id, **asked)


def test_an_id_is_a_uuid7_of_now_and_never_the_same() -> None:
    ids = {new_job_id() for _ in range(1000)}
    assert len(ids) == 1000
    for job_id in ids:
        assert uuid.UUID(job_id).version == 7
        assert uuid.UUID(job_id).variant == uuid.RFC_4122
        made_at_s = id_time_s(job_id)
        assert made_at_s is not None and abs(made_at_s - time.time()) < 10


def test_other_spellings_and_versions_are_no_ids_of_ours() -> None:
    job_id = new_job_id()
    for other in (
        job_id.upper(),
        f"{{{job_id}}}",
        job_id.replace("-", ""),
        f"urn:uuid:{job_id}",
        str(uuid.uuid4()),
        "",
        "x",
    ):
        assert id_time_s(other) is None, other


def test_only_an_id_older_than_the_lifetime_may_be_gone() -> None:
    job_id = new_job_id()
    made_at_s = id_time_s(job_id)
    assert made_at_s is not None
    assert not may_be_gone(job_id, made_at_s + 9, result_ttl_s=10)
    assert may_be_gone(job_id, made_at_s + 10, result_ttl_s=10)
    assert not may_be_gone("no id", made_at_s + 10, result_ttl_s=10)
