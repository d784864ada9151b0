"""A server that throws away what is stored when its memory is full is refused by API and worker."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tasks.broker import connect
from tasks.broker_memory import BrokerMemory, read_memory, refuse_eviction
from tasks.caps import Caps
from tasks.errors import BrokerUnavailable
from tasks.job import Job, new_job_id
from tasks.job_store import JobStore
from tests.valkey import Valkey, free_port

ROOT = Path(__file__).parents[2]

COMMANDS = {
    "api": ["-m", "api"],
    "worker": ["-m", "celery", "-A", "tasks.app", "worker", "-Q", "model.digits"],
    "keeper": ["-m", "celery", "-A", "tasks.app", "worker", "-Q", "keeper"],
}


@pytest.fixture
def evicting(client: redis.Redis) -> Iterator[redis.Redis]:
    client.config_set("maxmemory-policy", "allkeys-lru")
    yield client
    client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("kind", sorted(COMMANDS))
@pytest.mark.usefixtures("evicting")
def test_a_process_that_would_lose_jobs_ends_with_a_sentence(kind: str, valkey: Valkey, tmp_path: Path) -> None:
    environment = os.environ | {"REDIS_URL": valkey.url, "PORT": str(free_port()), "CELERIAC_VAR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, *COMMANDS[kind]], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("The broker's maxmemory-policy is expected as noeviction; it is ")
    assert "allkeys-lru" in done.stderr


def test_a_server_that_keeps_what_is_stored_is_taken_without_a_word(
    client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    refuse_eviction(client)
    assert not caplog.records


def test_a_server_that_is_away_or_may_not_be_asked_is_only_warned_of(
    client: redis.Redis, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        refuse_eviction(connect("redis://127.0.0.1:1/0"))
        assert "is not checked" in caplog.text
        client.acl_setuser("hosted", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info", "-config"])
        hosted = connect(valkey.url.replace("redis://", "redis://hosted:any@"))
        assert read_memory(hosted) == BrokerMemory(used_bytes=0, max_bytes=0, policy="")
        refuse_eviction(hosted)
        assert "does not tell its maxmemory-policy" in caplog.text
    hosted.close()
    client.acl_deluser("hosted")


def test_what_is_no_redis_at_all_is_left_to_those_who_use_it(caplog: pytest.LogCaptureFixture) -> None:
    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server, caplog.at_level(logging.WARNING):
        thread = threading.Thread(target=answer)
        thread.start()
        refuse_eviction(connect(f"redis://127.0.0.1:{server.getsockname()[1]}/0"))
        thread.join()
    assert "maxmemory-policy" in caplog.text


def test_a_server_that_is_found_later_to_evict_gets_no_jobs_until_it_does_not(client: redis.Redis) -> None:
    store = JobStore(client, 3600, Caps(memory_percent=80))
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        for _ in range(2):
            with pytest.raises(BrokerUnavailable, match="expected as noeviction; it is allkeys-lru"):
                store.submit(Job(id=new_job_id(), model="digits", version=1), b"payload")
    finally:
        client.config_set("maxmemory-policy", "noeviction")
    store.submit(Job(id=new_job_id(), model="digits", version=1), b"payload")


@pytest.mark.parametrize(
    ("used", "limit", "is_beyond"), [(80, 100, False), (81, 100, True), (81, 0, False), (10**12, 10**12, True)]
)
def test_memory_is_full_beyond_a_part_of_its_limit_and_never_without_one(
    used: int, limit: int, is_beyond: bool
) -> None:
    assert BrokerMemory(used, limit, "noeviction").is_beyond(80) is is_beyond
