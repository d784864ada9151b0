"""The API as a process of its own, for tests that break what lies behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.processes import ROOT
from tests.system import eventually
from tests.valkey import free_port


class LiveApi:
    """One `python -m api`. Started again, it has the same port."""

    def __init__(self, folder: Path, url: str, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "api"
        self._environment = {**os.environ, "REDIS_URL": url, "PORT": str(self.port), **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> LiveApi:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api"], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        return self

    def await_ready(self) -> LiveApi:
        eventually(self._answers)
        return self

    def _answers(self) -> bool:
        assert self.process and self.process.poll() is None, self.output()
        try:
            return httpx.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def output(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=70)

    def stop(self) -> int | None:
        """End it as an operator does; gives its exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait(10)
