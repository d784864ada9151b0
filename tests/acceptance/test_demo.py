"""`make demo`, as its reader sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_answers_rightly_for_all_five_models() -> None:
    done = subprocess.run([sys.executable, "-m", "samples.demo"], cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All answers are as expected." in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if " 01" in line]
    assert len(rows) == 10
    assert {word for row in rows for word in row} >= {"digits-h5", "digits-pb", "emotions", "hands", "hands-savedmodel"}
