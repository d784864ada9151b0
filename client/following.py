"""Following a job by its events (docs/http.md), through restarts of the server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx

from client import reply
from client.call import events_call
from client.errors import ClientError, UnexpectedReply
from client.event_stream import MEDIA_TYPE, EventReader
from client.procedures import Procedures
from client.record import JobRecord
from client.retry import Streak
from client.steps import Emit, Hear, Listen, Pause, Stream

#: Between the end of a stream and the next, where the server does not say.
PAUSE_S = 1.0


def following(procedures: Procedures, job_id: str) -> Stream:
    """Emits the job's record as it is, then whenever it has changed; the last one has ended."""
    last_id = ""
    streak = Streak(procedures.patience, procedures.on_trouble)
    while True:
        reader = EventReader()
        try:
            answer = yield Listen(events_call(job_id, last_id))
            reply.check(answer, procedures.url)
            _check_kind(answer, procedures.url)
            while part := (yield Hear()):
                streak = Streak(procedures.patience, procedures.on_trouble)
                for record in _records(reader, part):
                    yield Emit(record)
                    if record.is_finished:
                        return
            pause = Pause(PAUSE_S if reader.retry_s is None else reader.retry_s)
        except ClientError as error:
            pause = streak.next_pause(error)
        last_id = reader.last_id or last_id
        yield pause


def _check_kind(answer: httpx.Response, url: str) -> None:
    kind = answer.headers.get("content-type", "no content type")
    if kind.partition(";")[0].strip() != MEDIA_TYPE:
        raise UnexpectedReply(f"Expected {MEDIA_TYPE} from {url}; got {kind}. Is this a Celeriac?")


def _records(reader: EventReader, part: bytes) -> Iterator[JobRecord]:
    for event in reader.read(part):
        if event.name != "status":
            continue
        try:
            body = json.loads(event.data)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise UnexpectedReply("Expected a job's record in each event; got something else. Is this a Celeriac?")
        yield JobRecord.from_json(body)
