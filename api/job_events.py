"""GET /v1/jobs/{id}/events: a job's changes as Server-Sent Events, until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from flask import Blueprint, Response, request

from api.event_stream import KEEP_ALIVE, MEDIA_TYPE, event, retry
from api.job_lookup import find_job
from api.record import queue_json, record_json
from api.services import services
from api.waiting import MAX_WAIT_S, Place
from tasks.errors import BrokerUnavailable, JobGone, JobNotFound
from tasks.job import Job, Status

#: A job's end is heard of at once; its start, and that others in front of it have started, is looked for. Nobody has to
#: tell of these then, which would cost each job, watched or not.
LOOK_EVERY_S = 0.5
#: A client that has left is noticed by the next thing that is sent, and holds a thread until then.
KEEP_ALIVE_S = 2.0
#: When to come again: after a stream that had its time, and after one for which there was no place.
RETRY_S = 1.0
NO_PLACE_RETRY_S = 5.0

routes = Blueprint("job_events", __name__)


@dataclass(frozen=True)
class News:
    """How a job is. `id` is the same for two looks between which nothing happened."""

    id: str
    text: bytes
    is_last: bool

    @classmethod
    def of(cls, job: Job, in_front: int, rate: float | None) -> News:
        """How a job is when so many wait in front of it; `rate` is of `api.drain.drain_rate`."""
        number = {Status.QUEUED: f"-{in_front}", Status.RUNNING: f"-{job.attempt}"}.get(job.status, "")
        name = f"{job.status}{number}"
        return cls(name, event("status", name, record_json(job) | queue_json(job, in_front, rate)), job.is_finished)


@routes.get("/v1/jobs/<job_id>/events")
def stream_events(job_id: str) -> Response:
    """The job as it is now, then each change, until it ends or the stream had its time."""
    told = request.headers.get("Last-Event-ID", "")
    job = find_job(job_id)
    if job.is_finished and News.of(job, 0, None).id == told:
        return Response(status=204)
    store, rates = services().store, services().rates

    def look() -> News:
        return News.of(*store.get_with_position(job_id, job.model), rates.rate(job.model))

    with ExitStack() as stack:
        place = stack.enter_context(services().waiters.place(job_id, MAX_WAIT_S))
        place.look_at_once()
        response = Response(_tell(place, look, told), mimetype=MEDIA_TYPE)
        # nginx would hold events back until it has some kilobytes of them.
        response.headers["X-Accel-Buffering"] = "no"
        # The server closes each response, also one whose client has left before its first byte.
        response.call_on_close(stack.pop_all().close)
    return response


def _tell(place: Place, look: Callable[[], News], told: str) -> Iterator[bytes]:
    yield retry(RETRY_S if place.watch else NO_PLACE_RETRY_S)
    said_s = time.monotonic()
    for news in _looks(place, look):
        is_new = news is not None and news.id != told
        if is_new or time.monotonic() - said_s >= KEEP_ALIVE_S:
            yield news.text if news and is_new else KEEP_ALIVE
            said_s = time.monotonic()
        if news is not None:
            told = news.id
            if news.is_last:
                return


def _looks(place: Place, look: Callable[[], News]) -> Iterator[News | None]:
    """News at each look, None while the broker is away; ends when there will be none."""
    for _ in place.looks(LOOK_EVERY_S):
        try:
            yield look()
        except BrokerUnavailable:
            yield None
        except (JobNotFound, JobGone):
            return
