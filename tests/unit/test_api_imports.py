from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]

MAX_RESIDENT_BYTES = 80_000_000

PROGRAM = """
import sys, api.app, api.__main__
print(*{"tensorflow", "keras", "h5py", "celery", "kombu"} & set(sys.modules), flush=True)
sys.stdin.read()
"""


def test_the_api_loads_nothing_of_the_worker_and_stays_under_80_mb() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "\n"
        assert psutil.Process(process.pid).memory_info().rss < MAX_RESIDENT_BYTES
        process.communicate()
    assert process.returncode == 0
