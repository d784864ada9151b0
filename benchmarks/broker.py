"""The broker of all contestants: Celeriac's embedded server with its own configuration, in a folder of its own."""

from __future__ import annotations

import time
from pathlib import Path

import redis

from benchmarks.errors import BenchmarkError
from benchmarks.process import Process
from tasks.embedded_broker import prepare, server_binary

_START_S = 10.0
_SETTLE_S = 60.0


class Broker:
    """A Valkey server that writes each change to disk before it answers; it ends with its `with` block."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        configuration = prepare(folder, maxmemory_bytes=0)
        self.url = (folder / "url").read_text().strip()
        self.client = redis.Redis.from_url(self.url)
        self.process = Process([str(server_binary()), str(configuration)], {}, folder / "broker.log")

    def __enter__(self) -> Broker:
        self.process.__enter__()
        deadline_s = time.monotonic() + _START_S
        while not self._answers():
            self.process.check()
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f"The broker does not answer within {_START_S:.0f} s.")
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.stop()

    def empty(self) -> None:
        """Forget everything, the append-only file too, so that no measurement pays for what another has left."""
        self.client.flushall()
        self.client.bgrewriteaof()
        self.settle()

    def settle(self) -> None:
        """Wait until the server rewrites no file any more."""
        deadline_s = time.monotonic() + _SETTLE_S
        while time.monotonic() < deadline_s:
            state = self.client.info("persistence")
            if not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]:
                return
            time.sleep(0.02)
        raise BenchmarkError(f"The broker still rewrites its append-only file after {_SETTLE_S:.0f} s.")

    def used_bytes(self) -> int:
        """Memory that the server's data takes."""
        return int(self.client.info("memory")["used_memory"])

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False
