"""`python -m api` as a process of its own, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

from tests.http_api import until
from tests.valkey import free_port

ROOT = Path(__file__).parents[1]


class Api:
    """One process and its child; what they say goes into a file."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port = int(environment.setdefault("PORT", str(free_port())))
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CELERIAC_", "REDIS"))}
        environment.setdefault("CELERIAC_VAR", str(folder))
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api"], cwd=ROOT, env=inherited | environment, stdout=log, stderr=log
            )

    def await_ready(self) -> Api:
        until(self._answers)
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            return httpx.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def log(self) -> str:
        return self._log.read_text()

    def family(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def refusal(self, within_s: float = 20) -> tuple[int, str]:
        """Exit code and words of one that does not want to start."""
        return self.process.wait(within_s), self.log()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(20)
