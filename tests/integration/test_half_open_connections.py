"""A network that forgets connections without a word: workers and API notice in time, and go on by new ones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Thread

import httpx
import pytest

from tests.batching_stage import willing
from tests.live_worker import ended, has_claim, statuses, stock_app, submit
from tests.recovery_stage import Stage, finished, open_recovery_stage, post
from tests.system import eventually

#: Within so long all go on, on a machine that is busy.
NOTICED_S = 25


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_recovery_stage(tmp_path_factory.mktemp("stage"), workers=1, is_proxied=True) as stage:
        yield stage


def forget_connections(stage: Stage) -> None:
    assert stage.proxy and stage.proxy.forget() > 4


def poll_until_answered(http: httpx.Client, job_id: str) -> Iterator[httpx.Response]:
    while True:
        answer = http.get(f"/v1/jobs/{job_id}", params={"wait": 60})
        yield answer
        if answer.status_code != 503:
            return


def test_connections_that_the_network_forgot_cost_no_job_and_no_client(stage: Stage) -> None:
    # Given a job in the model, jobs behind it, and a client that waits for the last
    running = stage.occupy(2000).id
    waiting = submit(stage.store, [willing(number) for number in range(50)])
    eventually(lambda: has_claim(stage.client, waiting[-1]), 10)
    answers: list[httpx.Response] = []
    with stage.api.http() as http:
        poll = Thread(target=lambda: answers.extend(poll_until_answered(http, waiting[-1])))
        poll.start()
        eventually(lambda: any(one["sub"] == "1" and "listener" in one["name"] for one in stage.client.client_list()))
        # When the network forgets all connections
        began_s = time.monotonic()
        assert stage.proxy and stage.proxy.forget() > 4
        # Then all jobs run in time, once, and the client hears of them, after a retry at most
        jobs = ended(stage.store, [running, *waiting])
        poll.join(30)
        assert [answer.status_code for answer in answers] in ([200], [503, 200])
        assert answers[-1].json()["status"] == "succeeded"
        # And new ones are taken, and claimed by new connections
        eventually(lambda: (answer := post(http, 5)).is_success and finished(http, answer.json()["id"]))
    stage.await_clean()
    assert time.monotonic() - began_s < NOTICED_S
    assert statuses(jobs) == {"succeeded": 51}
    assert {job.attempt for job in jobs} == {1}
    with stock_app(stage.server.url) as app:
        assert eventually(lambda: app.control.inspect(timeout=1, limit=1).ping(), 5)
