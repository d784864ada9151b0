"""How a serving process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]

#: A process whose child, as one that was forked a moment ago, forgets the first signal.
FORGETFUL = """
import multiprocessing, signal, threading
from api.stopping import stop_with_parent

def serve():
    signals = []
    signal.signal(signal.SIGTERM, lambda *_: signals.append(1) if not signals else exit())
    stop_with_parent()
    while True:
        threading.Event().wait(0.1)

child = multiprocessing.get_context("fork").Process(target=serve)
child.start()
print(child.pid, flush=True)
child.join()
"""


def test_a_serving_process_that_forgot_the_first_signal_ends_with_its_parent_all_the_same() -> None:
    parent = subprocess.Popen([sys.executable, "-c", FORGETFUL], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    with parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(10)
    try:
        child.wait(10)
    finally:
        if child.is_running():
            child.kill()
