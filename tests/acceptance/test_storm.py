"""`make storm`, shorter: every process is killed, stopped and cut while clients submit, and every job is audited."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.system import eventually

ROOT = Path(__file__).parents[2]

DURATION_S = 25


class Storm:
    """One `python -m benchmarks.storm`, with its data in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, duration_s: float = DURATION_S, calm_s: float = 300) -> None:
        options = ["--duration-s", str(duration_s), "--calm-s", str(calm_s), "--seed", "5"]
        options += ["--results", str(self.folder), "--cache", str(self.folder)]
        with (self.folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.storm", *options], cwd=ROOT, stdout=output, stderr=output
            )

    def figures(self) -> dict[str, Any]:
        figures: dict[str, Any] = json.loads((self.folder / "storm.json").read_text())
        return figures

    def output(self) -> str:
        return (self.folder / "output").read_text()

    def code(self, within_s: float) -> int:
        assert self.process
        return self.process.wait(within_s)

    def others(self) -> list[psutil.Process]:
        """What it has started and what lives still."""
        return [one for one in psutil.process_iter() if self._has_started(one)]

    def _has_started(self, process: psutil.Process) -> bool:
        folder = str(self.folder)
        try:
            # The broker writes its title over its environment; it works in the folder.
            own = process.environ().get("CELERIAC_VAR", "").startswith(folder) or process.cwd().startswith(folder)
            return own and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@pytest.fixture
def storm(tmp_path: Path) -> Iterator[Storm]:
    storm = Storm(tmp_path)
    yield storm
    if storm.process and storm.process.poll() is None:
        storm.process.kill()
        storm.process.wait()
    for one in storm.others():
        one.kill()


@pytest.mark.timeout(500)
def test_no_job_is_lost_or_told_differently_or_answered_wrongly_in_a_storm(storm: Storm) -> None:
    storm.start()
    assert storm.code(within_s=480) == 0, storm.output()
    figures = storm.figures()
    assert figures["jobs"] > 500, storm.output()
    assert figures["kills"] >= 3, storm.output()
    faults = ("lost", "conflicting", "non_terminal", "wrong", "poison_missed", "unasked")
    assert {name: figures[name] for name in faults} == dict.fromkeys(faults, 0)
    assert (figures["left_over"], figures["unexpected_answers"], figures["came_back"]) == ({}, {}, True)
    assert storm.others() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_storm_that_is_broken_off_leaves_no_process_behind(storm: Storm, number: signal.Signals) -> None:
    storm.start()
    # Broker, keeper, API and its two children, four workers
    eventually(lambda: len(storm.others()) >= 9, 120)
    assert storm.process
    os.kill(storm.process.pid, number)
    assert storm.code(within_s=60) != 0
    psutil.wait_procs(storm.others(), 30)
    assert storm.others() == []
