"""A master, its replica and a sentinel, all real servers, that fail over within seconds."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.valkey import BINARY, Valkey, free_port

#: Milliseconds; a sentinel looks ten times a second.
_DOWN_AFTER_MS = 300

_CONFIG = """
port {port}
bind 127.0.0.1
dir {folder}
logfile {folder}/log
sentinel monitor {name} 127.0.0.1 {master_port} 1
sentinel auth-pass {name} {password}
sentinel down-after-milliseconds {name} {down_after_ms}
sentinel failover-timeout {name} 2000
"""


@dataclass(frozen=True)
class Watched:
    """Two servers and the port of the sentinel that watches them under `name`."""

    name: str
    password: str
    master: Valkey
    replica: Valkey
    sentinel_port: int


def await_promotion(server: Valkey) -> None:
    """Until the sentinel has made `server` the master; it cuts its clients' connections as it does."""
    _await(lambda: _info(server)["role"] == "master", "the replica was not made the master")


@contextmanager
def watched_pair(folder: Path, name: str, password: str) -> Iterator[Watched]:
    folders = [folder / role for role in ("master", "replica", "sentinel")]
    for each in folders:
        each.mkdir()
    master = Valkey(folders[0], "repl-diskless-sync-delay 0", password=password)
    replica = Valkey(folders[1], f"replicaof 127.0.0.1 {master.port}", password=password)
    watched = Watched(name, password, master, replica, free_port())
    sentinel = None
    try:
        master.start()
        replica.start()
        _await(lambda: _info(replica)["master_link_status"] == "up", "the replica has not joined")
        sentinel = _start_sentinel(folders[2], watched)
        asked = redis.Redis(port=watched.sentinel_port)
        _await(lambda: asked.sentinel_masters()[name]["num-slaves"] == 1, "the sentinel knows no replica")
        asked.close()
        yield watched
    finally:
        if sentinel is not None:
            sentinel.kill()
            sentinel.wait(10)
        replica.kill()
        master.kill()


def _start_sentinel(folder: Path, watched: Watched) -> subprocess.Popen[bytes]:
    configuration = folder / "sentinel.conf"
    configuration.write_text(
        _CONFIG.format(
            port=watched.sentinel_port,
            folder=folder,
            name=watched.name,
            master_port=watched.master.port,
            password=watched.password,
            down_after_ms=_DOWN_AFTER_MS,
        )
    )
    return subprocess.Popen([BINARY, configuration, "--sentinel"], stdout=subprocess.DEVNULL)


def _info(server: Valkey) -> dict[str, str]:
    with redis.Redis.from_url(server.url) as client:
        found: dict[str, str] = client.info("replication")
        return found


def _await(condition: Callable[[], bool], otherwise: str, timeout_s: float = 20) -> None:
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            if condition():
                return
        except (redis.ConnectionError, KeyError):
            pass
        if time.monotonic() > deadline_s:
            raise TimeoutError(otherwise)
        time.sleep(0.02)
