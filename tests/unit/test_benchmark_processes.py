"""The benchmark's processes: asked, measured, and always ended."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.contestant import ROOT, Contestant
from benchmarks.contestants.roster import ALL
from benchmarks.errors import BenchmarkError
from benchmarks.partner import Partner
from benchmarks.process import Process

ECHO = """
import sys
from benchmarks.serving import serve

def echo(text):
    print("noise on stdout")
    return {"text": text}

serve({"echo": echo, "fail": lambda: 1 / 0, "leave": lambda: sys.exit("I am off.")})
"""


def partner(tmp_path: Path) -> Partner:
    return Partner([sys.executable, "-c", ECHO], {"PYTHONPATH": str(ROOT)}, tmp_path / "echo.log")


def test_a_partner_answers_whatever_else_it_prints(tmp_path: Path) -> None:
    with partner(tmp_path) as one:
        assert one.ask("echo", text="first") == {"text": "first"}
        assert one.ask("echo", text="second") == {"text": "second"}


def test_what_a_partner_cannot_do_is_an_error_and_not_its_end(tmp_path: Path) -> None:
    with partner(tmp_path) as one:
        with pytest.raises(BenchmarkError, match="echo could not fail: ZeroDivisionError"):
            one.ask("fail")
        assert one.ask("echo", text="still here") == {"text": "still here"}


def test_a_partner_that_ends_is_named_with_its_last_words(tmp_path: Path) -> None:
    with partner(tmp_path) as one, pytest.raises(BenchmarkError, match=r"(?s)echo has ended with 1.*I am off"):
        one.ask("leave")


def test_a_process_is_waited_for_and_named_when_it_fails(tmp_path: Path) -> None:
    with Process([sys.executable, "-c", ""], {}, tmp_path / "good.log") as good:
        good.wait(30.0)
    bad = Process([sys.executable, "-c", "import sys; sys.exit('No luck.')"], {}, tmp_path / "bad.log")
    with bad, pytest.raises(BenchmarkError, match=r"(?s)bad has ended with 1.*No luck"):
        bad.wait(30.0)
    slow = Process([sys.executable, "-c", "input()"], {}, tmp_path / "slow.log", talks=True)
    with slow, pytest.raises(BenchmarkError, match="slow has not ended within 0 s"):
        slow.wait(0.01)


def test_a_measured_command_tells_its_own_memory_not_its_parents(tmp_path: Path) -> None:
    ballast = b"x" * 200_000_000
    told = tmp_path / "told.json"
    argv = [sys.executable, "-m", "benchmarks.measured_command", str(told), "--version"]
    with Process(argv, {"PYTHONPATH": str(ROOT)}, tmp_path / "command.log") as process:
        process.wait(60.0)
    peak_bytes = json.loads(told.read_text())["peak_bytes"]
    assert 5_000_000 < peak_bytes < len(ballast)


def test_a_process_is_ended_with_its_children_when_the_block_is_left_by_an_error(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    families: list[psutil.Process] = []
    others = set(psutil.Process().children(recursive=True))
    with pytest.raises(KeyboardInterrupt), Process([sys.executable, "-c", code], {}, tmp_path / "log") as process:
        while len(families) < 2:
            process.check()
            families = [one for one in psutil.Process().children(recursive=True) if one not in others]
        raise KeyboardInterrupt

    _, alive = psutil.wait_procs(families, timeout=5)
    assert not alive


def test_cpu_time_and_memory_count_children_too(tmp_path: Path) -> None:
    child = "x = 0\nwhile x < 30_000_000: x += 1\nimport time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with Process([sys.executable, "-c", code], {}, tmp_path / "log") as process:
        while process.cpu_s() < 0.5:
            process.check()
        assert process.rss_bytes() > 5_000_000


def test_a_contestant_that_cannot_be_installed_gives_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    rq = next(one for one in ALL if one.name == "rq")

    reason = rq.install(tmp_path)

    assert reason and "No matching distribution found" in reason
    assert not (tmp_path / "rq" / "installed").exists()


@pytest.mark.parametrize("one", [one for one in ALL if not one.is_ours], ids=lambda one: one.name)
def test_every_contestant_pins_its_own_packages_and_shares_the_model_runtime(one: Contestant) -> None:
    lines = one.requirements.read_text().splitlines()

    assert "-r ../shared.txt" in lines
    assert any(line.startswith(one.name.removeprefix("plain_")) and "==" in line for line in lines)


def test_celeriac_runs_where_the_benchmark_runs(tmp_path: Path) -> None:
    (ours,) = [one for one in ALL if one.is_ours]

    assert ours.python(tmp_path) == sys.executable
    assert replace(ours, is_ours=False).python(tmp_path) == str(tmp_path / "celeriac" / "bin" / "python")
