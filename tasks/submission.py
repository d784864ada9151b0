"""What lua/submit.lua takes to record and queue jobs: chunks of one queue's jobs, their keys and arguments. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from tasks import keys
from tasks.caps import Caps
from tasks.job import Job
from tasks.message import sent_event, task_message
from tasks.queues import LANE_PRIORITIES, queue_list, queue_of

#: A chunk is one call of the script, which holds up the server for about 40 µs a job and is on its disk after one
#: flush: 200 jobs share what a call costs, and nobody else waits longer than 10 ms.
CHUNK_JOBS = 200
CHUNK_BYTES = 1_048_576

_KEY_PARTS = (keys.job(""), keys.INPUT, keys.idempotency(""))
_LISTINGS = keys.listing("")

#: Jobs with the bytes of their inputs.
Chunk = list[tuple[Job, bytes]]


def chunks(jobs: Iterable[tuple[Job, bytes]]) -> Iterator[Chunk]:
    """Cut jobs, in their order, into runs for one queue, of `CHUNK_JOBS` and `CHUNK_BYTES` of input at most.

    A larger input goes alone. Takes no more of `jobs` than it gives.
    """
    chunk: Chunk = []
    size_bytes = 0
    for job, payload in jobs:
        size_bytes += len(payload)
        if chunk and (len(chunk) == CHUNK_JOBS or size_bytes > CHUNK_BYTES or _queue(job) != _queue(chunk[0][0])):
            yield chunk
            chunk, size_bytes = [], len(payload)
        chunk.append((job, payload))
    if chunk:
        yield chunk


def script_arguments(chunk: Chunk, event_channel: str, caps: Caps, is_memory_full: bool) -> tuple[list[str], list[Any]]:
    """The script's KEYS and ARGV for the jobs of one queue."""
    first = chunk[0][0]
    queue = queue_list(queue_of(first.model), LANE_PRIORITIES[first.lane])
    model = first.model
    names = [keys.unfinished(model), keys.running(model), keys.DEADLINES, queue, keys.input_bytes(model), keys.LISTED]
    memory = "1" if is_memory_full else ""
    args: list[Any] = [event_channel, *_KEY_PARTS, caps.queued_jobs, caps.queued_bytes, memory, _LISTINGS]
    for job, payload in chunk:
        expires_in_s = "" if job.expires_in_s is None else job.expires_in_s
        message, event = task_message(job), sent_event(job)
        args += (job.id, _record(job), payload, message, event, expires_in_s, job.idempotency, job.request, job.owner)
    return names, args


def _queue(job: Job) -> tuple[str, str]:
    return job.model, job.lane


def _record(job: Job) -> bytes:
    """Fields and values in turn. One JSON list costs redis-py, and the script too, less than 20 arguments."""
    pairs = job.to_hash().items()
    return orjson.dumps([part if isinstance(part, str) else str(part) for pair in pairs for part in pair])
