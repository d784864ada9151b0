"""GET /v1/jobs/{id}/events: a job's changes as Server-Sent Events, until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from flask import Blueprint, Response, request

from api.event_stream import KEEP_ALIVE, MEDIA_TYPE, event, retry
from api.job_lookup import find_job
from api.record import queue_json
from api.services import services
from api.waiting import MAX_WAIT_S, Place
from tasks.errors import BrokerUnavailable, JobGone, JobNotFound
from tasks.job import Job, Status
from tasks.record_json import record_json

#: A job's end is heard of at once; its start, and that others in front of it have started, is looked for. Nobody has to
#: tell of these then, which would cost each job, watched or not. 100 streams take 4 % of a core here and 1 % in Redis.
LOOK_EVERY_S = 0.5
#: A client that has left is noticed by the next thing that is sent, and holds a thread until then.
KEEP_ALIVE_S = 2.0
#: When to come again: after a stream that had its time, and after one for which there was no place.
RETRY_S = 1.0
NO_PLACE_RETRY_S = 5.0

routes = Blueprint("job_events", __name__)


@dataclass(frozen=True)
class News:
    """How a job is.

    Attributes:
        job: its record.
        in_front: how many jobs wait in front of it.
        is_paused: whether its model is paused.
        rate: of `api.drain.drain_rate`.
    """

    job: Job
    in_front: int = 0
    is_paused: bool = False
    rate: float | None = None

    @property
    def id(self) -> str:
        """The same for two looks between which nothing happened that is worth an event."""
        if self.job.status is Status.QUEUED:
            return f"queued-{self.in_front}" + ("-paused" if self.is_paused else "")
        return f"running-{self.job.attempt}" if self.job.status is Status.RUNNING else str(self.job.status)

    def to_event(self) -> bytes:
        """What is told of it: the answer to a submission, as it would be now, without a result."""
        paused = {"paused": self.job.status is Status.QUEUED and self.is_paused}
        return event("status", self.id, record_json(self.job) | paused | queue_json(self.job, self.in_front, self.rate))


@routes.get("/v1/jobs/<job_id>/events")
def stream_events(job_id: str) -> Response:
    """The job as it is now, then each change, until it ends or the stream had its time."""
    told = request.headers.get("Last-Event-ID", "")
    job = find_job(job_id)
    if job.is_finished and News(job).id == told:
        return Response(status=204)
    ours = services()

    def look() -> News:
        job_now, in_front = ours.store.get_with_position(job_id, job.model)
        return News(job_now, in_front, ours.pauses.is_paused(job.model), ours.rates.rate(job.model))

    with ExitStack() as stack:
        place = stack.enter_context(ours.waiters.place(job_id, MAX_WAIT_S))
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
            yield news.to_event() if news and is_new else KEEP_ALIVE
            said_s = time.monotonic()
        if news is not None:
            told = news.id
            if news.job.is_finished:
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
