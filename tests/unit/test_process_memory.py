from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from tasks.supervisor.process_memory import measure

#: Takes 60 MB, has a child that takes 30 MB, and says so.
TREE = """
import subprocess, sys
taken = bytearray(b"1") * 60_000_000
child = subprocess.Popen([sys.executable, "-c", "import time; b = bytearray(b'1') * 30_000_000; print(1, flush=True); "
                          "time.sleep(60)"], stdout=sys.stdout)
child.wait()
"""


def test_a_process_is_measured_with_its_descendants_and_one_that_is_gone_is_left_out() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    process = subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE)
    try:
        assert process.stdout and process.stdout.readline()
        measured = measure([process.pid, gone.pid])
        assert set(measured) == {process.pid}
        assert 90_000_000 < measured[process.pid].own_bytes < 140_000_000
    finally:
        for child in psutil.Process(process.pid).children():
            child.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def test_own_and_shared_memory_make_up_the_resident_one() -> None:
    # Given a process without descendants
    command = [sys.executable, "-c", "taken = bytearray(b'1') * 60_000_000; print(1, flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        memory = measure([process.pid])[process.pid]
        resident = psutil.Process(process.pid).memory_full_info()
        process.communicate(b"\n")
    assert memory.own_bytes + memory.shared_bytes == pytest.approx(resident.rss, rel=0.05)
    assert memory.own_bytes == pytest.approx(resident.uss, rel=0.1)
