"""A job's whole way by TLS, as a user with a password: API, worker, and the client who waits for the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
import redis

from tasks.broker import connect
from tests.live_api import LiveApi
from tests.live_worker import LiveWorker, is_clean
from tests.recovery_stage import MODEL, post
from tests.system import eventually
from tests.tls_proxy import tls_proxy
from tests.valkey import Valkey
from tests.worker_models import add_willing

USER = "ann"
PASSWORD = "p@ss/w:rd"

#: Well below the seconds after which a waiter would look at the record without having heard of anything.
SOON_S = 4.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A server that asks everybody for a password, with a user of its own for us."""
    (tmp_path / "valkey").mkdir()
    server = Valkey(tmp_path / "valkey", password="admin-word")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def admin(server: Valkey) -> Iterator[redis.Redis]:
    with connect(server.url) as admin:
        admin.execute_command("ACL", "SETUSER", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all")
        yield admin


@pytest.fixture
def url(server: Valkey, admin: redis.Redis, tmp_path: Path) -> Iterator[str]:
    with tls_proxy(tmp_path, server.port) as proxy:
        options = f"ssl_cert_reqs=required&ssl_ca_certs={proxy.certificate}"
        yield f"rediss://{USER}:{quote(PASSWORD, safe='')}@localhost:{proxy.port}/0?{options}"


def ours(admin: redis.Redis) -> list[dict[str, Any]]:
    """The connections of our user."""
    return [one for one in admin.client_list() if one["user"] == USER]


def test_a_job_goes_its_whole_way_by_tls_and_its_client_hears_of_the_end(
    url: str, admin: redis.Redis, tmp_path: Path
) -> None:
    # Given an API and a worker that know nothing but the URL
    add_willing(tmp_path / "models", MODEL)
    worker = LiveWorker(tmp_path / "models", url, MODEL, tmp_path / "worker.log").start()
    api = LiveApi(tmp_path, url).start().await_ready()
    try:
        worker.await_ready()
        heard: list[tuple[datetime, dict[str, Any]]] = []
        with api.http() as http:
            # When a client submits a job that takes its time, and waits for it
            submitted = post(http, number=3, wait_ms=2000)
            assert submitted.status_code == 202, submitted.text

            def wait() -> None:
                record = http.get(submitted.headers["Location"], params={"wait": 60}).json()
                heard.append((datetime.now().astimezone(), record))

            waiter = Thread(target=wait)
            waiter.start()
            # Then the API listens for the end by a connection of that user
            eventually(lambda: any("finish-listener" in one["name"] and one["sub"] == "1" for one in ours(admin)), 20)
            waiter.join(60)
        # And the client has the answer as soon as there is one
        [(at, record)] = heard
        assert (record["status"], record["attempt"], record["worker"]) == ("succeeded", 1, worker.name)
        assert record["result"]["outputs"]["y"] == [[7.0]]
        assert (at - datetime.fromisoformat(record["finished_at"])).total_seconds() < SOON_S
        # And all of it is done, by connections through the proxy alone
        eventually(lambda: is_clean(admin, MODEL), 20)
        assert {one["user"] for one in admin.client_list()} == {"default", USER}
    finally:
        code = api.stop()
        worker.kill()
    assert code == 0
    said = api.output() + worker.output()
    assert PASSWORD not in said and quote(PASSWORD, safe="") not in said
