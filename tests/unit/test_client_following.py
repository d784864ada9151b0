from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from client import AsyncCeleriac, Celeriac
from client.errors import ClientError, NotFound, Unavailable, UnexpectedReply
from client.retry import Patience
from tests.unit.client_stand_in import CUT, Answer, Request, StandIn

QUICK = Patience(total_s=10.0, first_pause_s=0.01, longest_pause_s=0.05)
UNAVAILABLE = Answer.refusal(503, "The broker does not answer.")


def events(*ids: str, more: str = "") -> Answer:
    told = "".join(
        f"event: status\nid: {one}\ndata: {json.dumps({'id': '0198', 'status': one.partition('-')[0]})}\n\n"
        for one in ids
    )
    return Answer(200, f"retry: 10\n\n{told}: still there\n\n{more}".encode(), "text/event-stream")


def one_after_the_other(*answers: Answer) -> Callable[[Request], Answer]:
    left = iter(answers)
    return lambda request: next(left)


def follow(server: StandIn, patience: Patience = QUICK) -> tuple[list[str], list[ClientError]]:
    troubles: list[ClientError] = []
    with Celeriac(server.url, patience=patience, on_trouble=troubles.append) as celeriac:
        return [record.status for record in celeriac.follow("0198")], troubles


def test_a_job_is_followed_through_ends_of_streams_cut_connections_and_a_server_that_is_away() -> None:
    answers = [events("queued-2", more="data: cut"), CUT, UNAVAILABLE, events("queued-0"), events()]
    with StandIn(one_after_the_other(*answers, events("running-1", "succeeded"))) as server:
        statuses, troubles = follow(server)
    # Then each change is told once, the server is told what was heard last, and the first trouble of a row is known
    assert statuses == ["queued", "queued", "running", "succeeded"]
    assert {request.path for request in server.requests} == {"/v1/jobs/0198/events"}
    assert [request.headers.get("last-event-id") for request in server.requests] == (
        [None, "queued-2", "queued-2", "queued-2", "queued-0", "queued-0"]
    )
    assert len(troubles) == 1


def test_asyncio_follows_in_the_same_way() -> None:
    async def statuses(url: str) -> list[str]:
        async with AsyncCeleriac(url, patience=QUICK) as celeriac:
            return [record.status async for record in celeriac.follow("0198")]

    with StandIn(one_after_the_other(CUT, events("queued-1"), events("running-1", "failed"))) as server:
        assert asyncio.run(statuses(server.url)) == ["queued", "running", "failed"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer.refusal(404, "There is no job 0198."), NotFound),
        (UNAVAILABLE, Unavailable),
        (Answer(200, b"<html>", "text/html"), UnexpectedReply),
        (Answer(200, b"event: status\ndata: 1\n\n", "text/event-stream"), UnexpectedReply),
        (Answer(200, b"event: status\ndata: {\n\n", "text/event-stream"), UnexpectedReply),
        (Answer(200, b"event: status\ndata: {}\n\n", "text/event-stream"), UnexpectedReply),
    ],
)
def test_what_is_no_stream_of_a_job_is_an_error(answer: Answer, error: type[ClientError]) -> None:
    with StandIn(lambda request: answer) as server, pytest.raises(error):
        follow(server, Patience(total_s=0))
    assert len(server.requests) == 1


def test_whoever_has_enough_closes_the_connection_and_can_go_on_asking() -> None:
    with StandIn(lambda request: events("queued-1", "running-1")) as server, Celeriac(server.url) as celeriac:
        for _ in range(3):
            stream = celeriac.follow("0198")
            assert next(stream).status == "queued"
            stream.close()  # type: ignore[attr-defined]
