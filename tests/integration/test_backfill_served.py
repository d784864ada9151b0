"""Backfills through a real API, worker and broker: whole ones, and one during which all of them are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import redis

from tasks import keys
from tests.live_api import LiveApi
from tests.live_worker import LiveWorker
from tests.system import eventually
from tests.tiny_models import add_linear
from tests.valkey import Valkey

ROOT = Path(__file__).parents[2]
ROWS = 100_000
KILLS = 6
#: A backfill is killed so long after its start: while it starts, resumes, or works.
LIVES_S = (0.3, 1.5)


@dataclass
class Served:
    """A system with the linear model, y = 2x + 1."""

    broker: Valkey
    api: LiveApi
    worker: LiveWorker
    folder: Path

    def rows(self, count: int) -> Path:
        path = self.folder / "rows.npy"
        np.save(path, np.repeat(np.arange(count, dtype="float32"), 3).reshape(count, 3))
        return path

    def start(self, rows: Path, output: Path) -> subprocess.Popen[str]:
        command = ["backfill", str(rows), "--model", "linear", "--output", str(output), "--url", self.api.url, "--json"]
        argv = [sys.executable, "-c", "from client.cli import main; main()", *command]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def results_kept(self) -> int:
        with redis.Redis.from_url(self.broker.url) as client:
            return sum(1 for _ in client.scan_iter(match=f"*{keys.RESULT}", count=1000))


@pytest.fixture
def served(own_valkey: Valkey, tmp_path: Path) -> Iterator[Served]:
    add_linear(tmp_path / "models")
    worker = LiveWorker(tmp_path / "models", own_valkey.url, "linear", tmp_path / "worker.log").start()
    api = LiveApi(tmp_path, own_valkey.url).start()
    try:
        worker.await_ready()
        yield Served(own_valkey, api.await_ready(), worker, tmp_path)
    finally:
        worker.kill()
        api.stop()


def size_of(output: Path) -> int:
    return output.stat().st_size if output.exists() else 0


def await_growth(backfill: subprocess.Popen[str], output: Path, size: int) -> None:
    eventually(lambda: size_of(output) > size or backfill.poll() is not None)


def answered(output: Path) -> list[int]:
    """The rows of the output, whose answers are theirs."""
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert all(row["y"] == [2 * int(row["id"]) + 1] * 3 for row in rows)
    return [int(row["id"]) for row in rows]


def test_a_backfill_and_one_under_kills_have_each_row_once_in_order(served: Served) -> None:
    rows = served.rows(ROWS)
    # Given a backfill that nothing disturbs
    undisturbed = served.folder / "undisturbed.jsonl"
    done, errors = served.start(rows, undisturbed).communicate(timeout=60)
    assert json.loads(done)["exit_code"] == 0, errors
    assert answered(undisturbed) == list(range(ROWS))
    assert eventually(lambda: served.results_kept() == 0)
    # When another is killed again and again, and its worker and its broker too
    output, chance = served.folder / "killed.jsonl", random.Random(1)
    for kill in range(KILLS):
        backfill, size = served.start(rows, output), size_of(output)
        time.sleep(chance.uniform(*LIVES_S))
        if kill % 2:
            # Every other one has written something.
            await_growth(backfill, output, size)
        backfill.send_signal(signal.SIGKILL)
        backfill.communicate()
        if kill == KILLS // 3:
            served.broker.kill()
            served.broker.start()
        if kill == KILLS // 2:
            served.worker.kill()
            served.worker.start()
    # Then the last one finishes what is left, and each row is there once
    done, errors = served.start(rows, output).communicate(timeout=60)
    told = json.loads(done)
    assert told["exit_code"] == 0, errors
    assert told["found"] > 0
    assert answered(output) == list(range(ROWS))
    assert eventually(lambda: served.results_kept() == 0)
