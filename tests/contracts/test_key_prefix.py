"""`CELERIAC_KEY_PREFIX` beside kombu's `global_keyprefix`: a stock Celery app uses the same keys and channels."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from tests.valkey import Valkey

ROOT = Path(__file__).parents[2]
PREFIX = "one:"

#: What a process with a prefix of its own does: it submits a job, runs it, and says where it looks for messages.
_SUBMIT = """
import sys
from tasks.broker import connect
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tasks.model_registry import ModelRegistry
from tasks.queues import queue_list
client = connect(sys.argv[1])
store = JobStore(client, 60)
job = Job(id=new_job_id(), model="digits", version=1, expires_in_s=60)
store.submit(job, b"")
ModelRegistry(client).expect(["digits"])
print(job.id)
"""
_FINISH = """
import sys
from tasks.broker import connect
from tasks.job_store import JobStore
from tests.stand_in_worker import StandInWorker
worker = StandInWorker(JobStore(connect(sys.argv[1]), 60))
assert worker.succeed(worker.start(sys.argv[2]), {"output:0:y": b""}) == "done"
"""


def run(code: str, *arguments: str, prefix: str = PREFIX) -> str:
    environment = {**os.environ, "CELERIAC_KEY_PREFIX": prefix}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def app(valkey: Valkey, client: redis.Redis) -> Iterator[Celery]:
    """A stock Celery app with kombu's prefix, on an empty server."""
    with Celery(broker=valkey.url, set_as_current=False) as app:
        app.conf.broker_transport_options = {"global_keyprefix": PREFIX}
        app.conf.task_send_sent_event = True
        yield app


def test_a_stock_consumer_with_the_prefix_gets_message_and_event(app: Celery, valkey: Valkey) -> None:
    heard: list[dict[str, Any]] = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"task-sent": heard.append})
        with receiver.consumer_context() as (events, _, _):
            with contextlib.suppress(TimeoutError):
                events.drain_events(timeout=0.1)  # kombu subscribes now
            job_id = run(_SUBMIT, valkey.url)
            while not heard:
                events.drain_events(timeout=10)
        message = connection.default_channel.basic_get("model.digits")
        message.ack()
    assert [event["uuid"] for event in heard] == [job_id]
    assert message.headers["id"] == job_id


def test_everything_of_ours_carries_the_prefix(client: redis.Redis, valkey: Valkey) -> None:
    with client.pubsub() as listener:
        listener.psubscribe("*")
        assert listener.get_message(timeout=5)
        job_id = run(_SUBMIT, valkey.url)
        queued = client.keys("*")
        run(_FINISH, valkey.url, job_id)
        channels = [listener.get_message(timeout=5)["channel"] for _ in range(2)]
    assert len(queued) >= 6
    for name in [*queued, *client.keys("*"), *channels]:
        assert name.startswith(PREFIX.encode()), name


def test_what_a_stock_producer_with_the_prefix_sends_is_where_we_look(app: Celery, client: redis.Redis) -> None:
    for priority in (0, 9):
        app.send_task("predict", ["id"], queue="model.digits", priority=priority)
        code = f"from tasks.queues import queue_list; print(queue_list('model.digits', {priority}).encode().hex())"
        assert client.llen(bytes.fromhex(run(code))) == 1


def test_the_sweeper_sees_what_a_stock_consumer_with_the_prefix_holds(app: Celery, client: redis.Redis) -> None:
    app.send_task("predict", ["id"], queue="model.digits")
    with app.connection_for_read() as connection:
        assert connection.default_channel.basic_get("model.digits")
        assert client.hlen(run("from tasks import keys; print(keys.UNACKED)")) == 1


def test_two_systems_share_a_database_without_seeing_each_other(client: redis.Redis, valkey: Valkey) -> None:
    run(_SUBMIT, valkey.url, prefix="one:")
    run(_SUBMIT, valkey.url, prefix="two:")
    assert client.llen("one:model.digits") == client.llen("two:model.digits") == 1


def test_celery_is_given_the_prefix_of_the_settings(valkey: Valkey) -> None:
    code = "import os; os.environ['REDIS_URL'] = 'redis://'; import celeryconfig; "
    assert run(code + "print(celeryconfig.broker_transport_options['global_keyprefix'])") == PREFIX
