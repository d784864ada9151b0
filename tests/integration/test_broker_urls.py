"""One REDIS_URL serves both halves, the record's client and Celery's: with TLS, and through sentinels."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tasks.broker import broker_errors, connect
from tasks.errors import BrokerUnavailable
from tasks.job import Job, Status, new_job_id
from tasks.job_store import JobStore
from tests.http_api import until
from tests.sentinels import Watched, watched_pair
from tests.stand_in_worker import StandInWorker
from tests.tls_proxy import TlsProxy, tls_proxy
from tests.valkey import Valkey, free_port

ROOT = Path(__file__).parents[2]

_SEND = "from tasks.app import app; app.send_task('predict', ['id'], queue='model.digits')"
_TAKE = """
from tasks.app import app
with app.connection_for_read() as connection:
    message = connection.default_channel.basic_get("model.digits")
    print(message.headers["id"])
    message.ack()
"""
#: What becomes of the connection's settings when the broker does not answer for a moment.
_SWITCH = """
from tasks.app import app
from tasks.worker import claim_messages

claim_messages(app.conf)
connection = app.connection_for_read()
for _ in range(3):
    print(connection.transport_cls, connection.password, connection.port, connection.virtual_host, len(connection.alt))
    connection.maybe_switch_next()
"""


def celery(code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run code with Celery set up by celeryconfig in a process of its own."""
    environment = {**os.environ, **settings}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


def submit(client: redis.Redis) -> str:
    job = Job(id=new_job_id(), model="digits", version=1)
    JobStore(client, 60).submit(job, b"payload")
    return job.id


@pytest.fixture
def tls(valkey: Valkey, client: redis.Redis, tmp_path: Path) -> Iterator[TlsProxy]:
    with tls_proxy(tmp_path, valkey.port) as proxy:
        yield proxy


def test_both_halves_talk_tls_and_check_the_certificate(tls: TlsProxy, client: redis.Redis) -> None:
    url = f"rediss://localhost:{tls.port}/0?ssl_ca_certs={tls.certificate}"
    secure = connect(url)
    job_id = submit(secure)
    assert client.llen("model.digits") == 1
    assert celery(_TAKE, REDIS_URL=url).stdout.strip() == job_id
    secure.close()


def test_neither_half_talks_to_a_server_that_it_cannot_verify(tls: TlsProxy) -> None:
    untrusted = f"rediss://localhost:{tls.port}/0"
    misnamed = f"rediss://127.0.0.1:{tls.port}/0?ssl_ca_certs={tls.certificate}"
    for url in (untrusted, misnamed):
        client = connect(url)
        with pytest.raises(BrokerUnavailable), broker_errors():
            client.ping()
        client.close()
    refused = celery(_TAKE, REDIS_URL=untrusted)
    assert refused.returncode != 0
    assert "certificate verify failed" in refused.stderr


def test_both_halves_skip_the_check_when_they_are_told_to(tls: TlsProxy) -> None:
    url = f"rediss://127.0.0.1:{tls.port}/0?ssl_cert_reqs=none"
    unchecked = connect(url)
    job_id = submit(unchecked)
    assert celery(_TAKE, REDIS_URL=url).stdout.strip() == job_id
    unchecked.close()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with watched_pair(tmp_path, "celeriac", "pa55/word") as pair:
        yield pair


def test_both_halves_find_the_server_by_its_sentinels_and_follow_it_to_another(watched: Watched) -> None:
    # Given sentinels of which the first does not answer, and a job
    url = f"sentinel://:pa55%2Fword@127.0.0.1:{free_port()};sentinel://127.0.0.1:{watched.sentinel_port}/2"
    settings = {"REDIS_URL": url, "CELERIAC_SENTINEL_MASTER": watched.name}
    client = connect(url, watched.name)
    store = JobStore(client, 60)
    job_id = submit(client)
    assert celery(_SEND, **settings).returncode == 0
    assert client.llen("model.digits") == 2
    assert client.execute_command("WAIT", 1, 5000) == 1
    # When the server dies
    watched.master.kill()

    def is_found_again() -> bool:
        try:
            return store.find(job_id) is not None
        except BrokerUnavailable:
            return False

    until(is_found_again, timeout_s=30)
    # Then the same client goes on with its replica, and so does Celery
    assert StandInWorker(store).start(job_id).status is Status.RUNNING
    another = until(lambda: _submit_if_writable(client), timeout_s=30)
    assert celery(_TAKE, **settings).stdout.strip() == job_id
    assert store.find(another) is not None
    client.close()


def _submit_if_writable(client: redis.Redis) -> str | None:
    try:
        return submit(client)
    except BrokerUnavailable:
        return None


def test_a_worker_keeps_its_transport_password_and_database_when_a_sentinel_is_away() -> None:
    said = celery(_SWITCH, REDIS_URL="sentinel://:pa55@a:1;sentinel://b:2;sentinel://c:3/4").stdout.splitlines()
    assert said == ["tasks.transport.transport:SentinelTransport pa55 1 4 3"] * 3


def test_a_name_that_the_sentinels_do_not_know_is_a_broker_that_is_away(watched: Watched) -> None:
    stranger = connect(f"sentinel://127.0.0.1:{watched.sentinel_port}/0", "another")
    began_s = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="does not answer"):
        JobStore(stranger, 60).find(new_job_id())
    assert time.monotonic() - began_s < 5
    stranger.close()


def test_sentinels_that_are_all_away_are_a_broker_that_is_away() -> None:
    client = connect(f"sentinel://127.0.0.1:{free_port()};sentinel://127.0.0.1:{free_port()}/0")
    began_s = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        JobStore(client, 60).find(new_job_id())
    assert time.monotonic() - began_s < 1
    client.close()
