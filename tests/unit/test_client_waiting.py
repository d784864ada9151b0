from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from client import Celeriac
from client.errors import ApiError, ClientError, Unavailable, Unreachable
from client.job import Job
from client.procedures import SHORTEST_ROUND_S
from client.record import JobRecord
from client.retry import Patience
from tests.unit.client_stand_in import CUT, Answer, Request, StandIn

QUICK = Patience(total_s=10.0, first_pause_s=0.01, longest_pause_s=0.05)
UNAVAILABLE = Answer.refusal(503, "The broker does not answer.")


def job(status: str) -> Answer:
    return Answer.of({"jobs": [{"id": "0198", "status": status}]})


def one_after_the_other(*answers: Answer) -> Callable[[Request], Answer]:
    left = iter(answers)
    return lambda request: next(left)


def wait(url: str, limit_s: float | None = None, patience: Patience = QUICK) -> tuple[Job, list[ClientError]]:
    """A job that was queued when last heard of, waited for."""
    troubles: list[ClientError] = []
    with Celeriac(url, patience=patience, on_trouble=troubles.append) as celeriac:
        job = Job(JobRecord("0198", "queued", None, {}), celeriac._driver, celeriac._procedures)
        return job.wait(limit_s), troubles


def test_waiting_goes_on_through_503_and_cut_connections_and_tells_the_first_trouble_of_each_streak() -> None:
    answers = one_after_the_other(UNAVAILABLE, CUT, CUT, job("running"), CUT, job("succeeded"))
    with StandIn(answers) as server:
        found, troubles = wait(server.url)
    assert found.status == "succeeded"
    assert [type(trouble) for trouble in troubles] == [Unavailable, Unreachable]


def test_waiting_goes_on_while_the_server_restarts_on_its_port() -> None:
    # Given a server that goes away after its first answer
    waiter: list[Any] = []
    has_asked = threading.Event()

    def still_running(request: Request) -> Answer:
        has_asked.set()
        return job("running")

    with StandIn(still_running) as first:
        thread = threading.Thread(target=lambda: waiter.append(wait(first.url)))
        thread.start()
        assert has_asked.wait(timeout=10)
    # When another one answers at the same address
    with StandIn(one_after_the_other(job("succeeded")), first.port):
        thread.join(timeout=20)
    # Then the wait ends with the job
    assert waiter[0][0].status == "succeeded"


def test_a_server_that_stays_away_ends_the_wait_with_its_sentence_once_the_patience_is_over() -> None:
    began_s = time.monotonic()
    with StandIn(lambda request: UNAVAILABLE) as server, pytest.raises(ApiError, match="broker does not answer"):
        wait(server.url, patience=Patience(total_s=0.3, first_pause_s=0.01, longest_pause_s=0.05))
    assert 3 <= len(server.requests) <= 60
    assert time.monotonic() - began_s < 3


def test_an_error_that_will_not_pass_is_not_tried_again() -> None:
    with (
        StandIn(lambda request: Answer.refusal(410, "It is gone.")) as server,
        pytest.raises(ApiError, match="It is gone"),
    ):
        wait(server.url)
    assert len(server.requests) == 1


def test_without_a_limit_each_poll_asks_for_30_seconds() -> None:
    with StandIn(one_after_the_other(job("queued"), job("cancelled"))) as server:
        wait(server.url)
    assert [json.loads(request.body)["wait"] for request in server.requests] == [30, 30]


def test_a_server_that_does_not_hold_polls_is_not_asked_more_than_once_a_round() -> None:
    with StandIn(lambda request: job("running")) as server:
        began_s = time.monotonic()
        found, _ = wait(server.url, limit_s=1.5)
        took_s = time.monotonic() - began_s
    assert found.status == "running"
    assert 1.5 <= took_s < 5
    # The first, one a round, and a last one when the limit is over.
    assert len(server.requests) <= 2 + took_s / SHORTEST_ROUND_S


def test_a_limit_of_zero_asks_once_and_does_not_try_again() -> None:
    with StandIn(lambda request: job("queued")) as server:
        assert wait(server.url, limit_s=0)[0].status == "queued"
    with StandIn(lambda request: UNAVAILABLE) as away, pytest.raises(ApiError):
        wait(away.url, limit_s=0)
    assert len(server.requests) == len(away.requests) == 1
    assert json.loads(server.requests[0].body) == {"ids": ["0198"]}


@pytest.mark.parametrize(
    ("failures", "jitter", "retry_after_s", "expected_s"),
    [
        pytest.param(1, 1.0, None, 0.25, id="first"),
        pytest.param(1, 0.0, None, 0.125, id="jitter-takes-up-to-half"),
        pytest.param(3, 1.0, None, 1.0, id="doubles"),
        pytest.param(5_000, 1.0, None, 8.0, id="never-longer-than-the-longest"),
        pytest.param(1, 0.5, 3.0, 3.0, id="not-earlier-than-the-server-asks"),
        pytest.param(1, 0.5, 900.0, 900.0, id="not-earlier-however-long-that-is"),
    ],
)
def test_pauses_double_up_to_the_longest_and_heed_the_server(
    failures: int, jitter: float, retry_after_s: float | None, expected_s: float
) -> None:
    assert Patience().pause_s(failures, jitter, retry_after_s) == pytest.approx(expected_s)
