"""Callbacks from the end of a job to their receiver, by the real keeper and the real worker, which are killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from standardwebhooks import Webhook

from tasks.broker import connect
from tasks.callbacks.callback import Callback, CallbackStatus
from tasks.job import Job
from tasks.job_store import JobStore
from tests.callback_records import submitted, succeeded
from tests.live_worker import LiveWorker, listening
from tests.receivers import SECRET, Received, receiving
from tests.system import Running, eventually
from tests.valkey import Valkey

SETTINGS = {
    "CELERIAC_CALLBACK_SECRETS": SECRET,
    "CELERIAC_CALLBACK_ALLOW": "127.0.0.0/8",
    "CELERIAC_CALLBACK_TIMEOUT_S": "2",
    "CELERIAC_CALLBACK_RETRY_S": "1",
    "CELERIAC_CALLBACK_THREADS": "8",
}


@dataclass
class Stage:
    server: Valkey
    keeper: LiveWorker
    sender: LiveWorker
    client: redis.Redis
    store: JobStore

    def callback(self, job: Job) -> Callback:
        return self.store.callbacks.get(job)

    def await_accepted(self, job: Job, within_s: float = 40) -> Callback:
        def is_accepted() -> bool:
            return self.callback(job).status is CallbackStatus.ACCEPTED

        eventually(is_accepted, within_s)
        return self.callback(job)

    def output(self) -> str:
        return self.keeper.output() + self.sender.output()


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    server = Valkey(folder)
    server.start()
    keeper = LiveWorker(folder, server.url, "none", folder / "keeper.log", "keeper", **SETTINGS).as_keeper()
    sender = LiveWorker(folder, server.url, "none", folder / "sender.log", "callbacks", **SETTINGS).as_callbacks()
    try:
        for one in (keeper, sender):
            one.start()
        for one in (keeper, sender):
            one.await_ready()
        with connect(server.url) as client:
            yield Stage(server, keeper, sender, client, JobStore(client, 3600))
    finally:
        for one in (keeper, sender):
            one.kill()
        server.kill()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_stage(tmp_path_factory.mktemp("callbacks")) as stage:
        yield stage


def verified(request: Received) -> str:
    """The type of an event whose signature the receiver's own library takes."""
    return str(Webhook(SECRET).verify(request.body, dict(request.headers))["type"])


def test_ends_are_told_signed_and_nobody_else_learns_the_url(stage: Stage) -> None:
    with receiving() as receiver, listening(stage.server.url) as heard:
        url = f"http://127.0.0.1:{receiver.port}/s3cret-path?token=s3cret"
        # Given a job that succeeds, and one that is cancelled
        job, cancelled = succeeded(stage.store, callback_url=url), submitted(stage.store, callback_url=url)
        stage.store.cancel(cancelled.id)
        # When their callbacks are accepted
        for one in (job, cancelled):
            assert [attempt.status_code for attempt in stage.await_accepted(one).attempts] == [204]
        told = {request.headers["webhook-id"]: verified(request) for request in receiver.received}
        eventually(lambda: sum(event["type"] == "task-succeeded" for event in list(heard.events)) == 2)
    # Then each was told once, by its type
    assert told == {job.id: "job.succeeded", cancelled.id: "job.cancelled"} and len(receiver.received) == 2
    assert receiver.received[0].path == "/s3cret-path?token=s3cret"
    # And Flower and the logs show whose it was, and not where it went
    assert any(job.id in str(event.get("args")) for event in heard.events)
    assert "s3cret" not in stage.output() + str(heard.events)


def test_a_receiver_that_fails_is_told_again_with_the_same_id(stage: Stage) -> None:
    with receiving(503, 302, 200) as receiver:
        job = succeeded(stage.store, callback_url=f"http://127.0.0.1:{receiver.port}/")
        accepted = stage.await_accepted(job)
    assert [attempt.status_code for attempt in accepted.attempts] == [503, 302, 200]
    assert receiver.ids() == [job.id] * 3
    assert len({request.body for request in receiver.received}) == 1
    # Each attempt has a time, and so a signature, of its own.
    assert len({request.headers["webhook-signature"] for request in receiver.received}) == 3
    assert {verified(request) for request in receiver.received} == {"job.succeeded"}


def test_a_receiver_that_is_gone_for_good_is_left_alone_until_its_client_asks(stage: Stage) -> None:
    def is_given_up() -> bool:
        return stage.callback(job).status is CallbackStatus.GIVEN_UP

    with receiving(410, 200) as receiver:
        job = succeeded(stage.store, callback_url=f"http://127.0.0.1:{receiver.port}/")
        eventually(is_given_up)
        stage.store.callbacks.redeliver(job)
        stage.await_accepted(job)
    assert receiver.ids() == [job.id] * 2
    assert f"The callback of job {job.id} is given up with attempt 1: 410." in stage.sender.output()


def test_receivers_that_hang_hold_up_neither_others_nor_the_sweeps(stage: Stage) -> None:
    with receiving() as slow, receiving() as fast:
        # Given a receiver that does not answer, and more callbacks for it than the worker has threads
        slow.answers.clear()
        hanging = [succeeded(stage.store, callback_url=f"http://localhost:{slow.port}/") for _ in range(20)]
        eventually(lambda: len(slow.received) >= 2)
        # When others have something to be told, or a job is overdue
        late = submitted(stage.store, callback_url=f"http://127.0.0.1:{fast.port}/", expires_in_s=0.1)
        jobs = [succeeded(stage.store, callback_url=f"http://127.0.0.1:{fast.port}/") for _ in range(10)]
        # Then that is done while the first still hang
        for job in jobs:
            stage.await_accepted(job, within_s=10)
        stage.await_accepted(late, within_s=15)
        assert not any(stage.callback(job).status is CallbackStatus.ACCEPTED for job in hanging)
        # Its share of the worker's threads is a quarter.
        assert slow.most_at_once == 2


def test_nothing_is_lost_when_worker_keeper_and_broker_are_killed(stage: Stage) -> None:
    with receiving() as receiver:
        jobs: list[Job] = []

        def end_some() -> None:
            jobs.extend(succeeded(stage.store, callback_url=f"http://127.0.0.1:{receiver.port}/") for _ in range(20))

        # Given attempts that have reached their receiver, which has not answered yet
        receiver.answers.clear()
        end_some()
        eventually(lambda: receiver.received)
        # When the worker is killed amid them
        stage.sender.kill()
        receiver.answers.set()
        stage.sender.start()
        # And the keeper while callbacks are due, and the broker while they are sent
        end_some()
        stage.keeper.kill()
        stage.keeper.start()
        seen = len(receiver.received)
        eventually(lambda: len(receiver.received) > seen)
        end_some()
        stage.server.kill()
        stage.server.start()
        # Then all are told in the end, each under its one id
        for job in jobs:
            stage.await_accepted(job, within_s=90)
        assert set(receiver.ids()) == {job.id for job in jobs}
        assert {verified(request) for request in receiver.received} == {"job.succeeded"}


def test_a_running_system_tells_who_asked(system: Running) -> None:
    with receiving() as receiver:
        parameters = {"callback_url": f"http://127.0.0.1:{receiver.port}/"}
        body = {"instances": [[0, 1, 2]], "parameters": parameters}
        record = system.answer("linear-pb", json=body)

        def is_accepted() -> bool:
            with system.http() as http:
                return bool(http.get(record["links"]["callback"]).json()["status"] == "accepted")

        eventually(is_accepted)
    (request,) = receiver.received
    told = Webhook(SECRET).verify(request.body, dict(request.headers))
    assert (told["type"], told["timestamp"]) == ("job.succeeded", record["finished_at"])
    assert record | told["data"] == record and told["data"]["result"] == record["result"] is not None
