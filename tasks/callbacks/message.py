"""A callback as it is sent: the body, and the headers that Standard Webhooks asks for; pure."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from tasks.callbacks.signing import signatures
from tasks.iso_time import iso_time
from tasks.job import Job
from tasks.record_json import record_with_result


def callback_body(job: Job, parts: Mapping[str, bytes]) -> bytes:
    """What happened, when, and to which job. The same at each attempt, as long as the result is not deleted.

    Args:
        job: a record that has ended.
        parts: of its result; none of one that is too large, which `data.links.result` leads to.
    """
    happened = {
        "type": f"job.{job.status}",
        "timestamp": iso_time(job.finished_at_us),
        "data": record_with_result(job, parts),
    }
    return orjson.dumps(happened, option=orjson.OPT_SERIALIZE_NUMPY)


def callback_headers(job_id: str, timestamp_s: int, body: bytes, keys: tuple[bytes, ...]) -> Mapping[str, str]:
    """The headers of an attempt; the id is the job's, and the same at each attempt.

    Args:
        job_id: whose end it tells of.
        timestamp_s: of this attempt, s since 1970.
        body: what is signed.
        keys: to sign it by, see `tasks.callbacks.signing`.
    """
    return {
        "Content-Type": "application/json",
        "User-Agent": "Celeriac",
        "webhook-id": job_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signatures(keys, job_id, timestamp_s, body),
    }
