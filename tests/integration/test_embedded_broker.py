from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis

from tasks.machine_memory import memory_bytes
from tests.processes import ROOT, until


class EmbeddedBroker:
    """`python -m tasks.embedded_broker` as a process, in a folder of its own."""

    def __init__(self, var: Path, **environment: str) -> None:
        self.folder = var / "broker"
        self._sentences = var.with_name("sentences")
        self._environment = {**os.environ, "CELERIAC_VAR": str(var), **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        with self._sentences.open("wb") as sentences:
            return subprocess.Popen(
                [sys.executable, "-m", "tasks.embedded_broker"],
                cwd=ROOT,
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=sentences,
            )

    def up(self) -> redis.Redis:
        """Start it and wait; a client of it."""
        self.process = self.start()
        return until(self._answering)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(10)

    def sentences(self) -> str:
        """What the last start had to say."""
        return self._sentences.read_text()

    def url(self) -> str:
        return (self.folder / "url").read_text().strip()

    def _answering(self) -> redis.Redis | None:
        try:
            client = redis.Redis.from_url(self.url(), socket_timeout=1)
            client.ping()
        except (FileNotFoundError, redis.RedisError):
            return None
        return client


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    one = EmbeddedBroker(tmp_path / 'a "quoted" folder')
    yield one
    if one.process and one.process.poll() is None:
        one.stop(signal.SIGKILL)


def test_the_process_started_becomes_the_server_and_ends_with_0_on_sigterm(broker: EmbeddedBroker) -> None:
    client = broker.up()

    assert client.info("server")["process_id"] == broker.process.pid
    assert broker.stop() == 0


def test_what_was_stored_is_there_after_sigkill(broker: EmbeddedBroker) -> None:
    broker.up().set("key", "value")

    broker.stop(signal.SIGKILL)

    assert broker.up().get("key") == b"value"


def test_the_server_forces_each_write_to_disk_and_never_evicts(broker: EmbeddedBroker) -> None:
    client = broker.up()

    wanted = {"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction"}
    assert {name: client.config_get(name)[name] for name in wanted} == wanted
    limits = client.config_get("client-output-buffer-limit")["client-output-buffer-limit"]
    assert limits.endswith("pubsub 268435456 134217728 60")


def test_the_server_takes_half_of_the_memory_at_most(broker: EmbeddedBroker) -> None:
    assert broker.up().info("memory")["maxmemory"] == memory_bytes() // 2


def test_the_server_takes_no_more_memory_than_the_setting_says(tmp_path: Path) -> None:
    one = EmbeddedBroker(tmp_path, CELERIAC_BROKER_MEMORY_MB="100")
    try:
        assert one.up().info("memory")["maxmemory"] == 100 * 2**20
    finally:
        one.stop()


def test_the_server_listens_on_loopback_only_and_asks_for_its_password(broker: EmbeddedBroker) -> None:
    client = broker.up()
    port = int(client.connection_pool.connection_kwargs["port"])

    assert client.config_get("bind") == {"bind": "127.0.0.1"}
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(f"redis://127.0.0.1:{port}").ping()


def test_nobody_else_can_read_the_folder(broker: EmbeddedBroker) -> None:
    broker.up()

    assert stat.S_IMODE(broker.folder.stat().st_mode) == 0o700
    for name in ("password", "server.conf", "url"):
        assert stat.S_IMODE((broker.folder / name).stat().st_mode) == 0o600, name


def test_password_and_port_stay_from_start_to_start(broker: EmbeddedBroker) -> None:
    broker.up()
    before = broker.url()
    broker.stop()

    broker.up()

    assert broker.url() == before


def test_another_port_is_taken_when_the_last_one_is_not_free(broker: EmbeddedBroker) -> None:
    broker.up().set("key", "value")
    before = broker.url()
    port = int((broker.folder / "port").read_text())
    broker.stop()

    with socket.create_server(("127.0.0.1", port)):
        client = broker.up()

    assert broker.url() != before
    assert client.get("key") == b"value"


def test_a_server_starts_again_on_a_full_disk_and_has_what_was_stored(broker: EmbeddedBroker) -> None:
    broker.up().set("key", "value")
    # Given a disk on which no file can grow, so that the server ends with the next write
    with no_room():
        broker.stop()
        client = broker.up()
        assert client.get("key") == b"value"
        with pytest.raises(redis.ConnectionError):
            client.set("key", "another")
        assert broker.process and broker.process.wait(10) == 1
        # Then it still starts, for those who read
        assert broker.up().get("key") == b"value"
        broker.stop()
    # And where there is room, it takes writes again
    client = broker.up()
    assert client.get("key") == b"value"
    client.set("key", "another")


@contextmanager
def no_room() -> Iterator[None]:
    """What is started now can make no file longer; Python and what it starts are told so by errors, not by a signal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_second_server_on_the_same_folder_is_refused_with_a_sentence(broker: EmbeddedBroker) -> None:
    client = broker.up()
    before = broker.url()

    second = broker.start()

    assert second.wait(20) == 1
    assert f"Another server (process {broker.process.pid}) uses {broker.folder}" in broker.sentences()
    assert "Traceback" not in broker.sentences()
    assert broker.url() == before
    assert client.ping()


def test_a_server_that_was_killed_does_not_hold_up_the_next_one_while_its_child_rewrites(
    broker: EmbeddedBroker,
) -> None:
    # Given a child process of the server that will outlive it for seconds
    client = broker.up()
    client.config_set("rdb-key-save-delay", 100_000)  # microseconds a key
    client.mset({f"key {number}": "value" for number in range(50)})
    client.bgrewriteaof()
    until(lambda: client.info("persistence")["current_save_keys_processed"])
    (child,) = psutil.Process(broker.process.pid).children()

    broker.stop(signal.SIGKILL)

    assert broker.up().get("key 1") == b"value"
    assert child.is_running()
    child.kill()
