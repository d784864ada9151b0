"""The watchdog ends the worker for a call that lasts too long, and for nothing else."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from tasks.batching.watchdog import EXIT_CODE, Watchdog
from tests.system import eventually

TIMEOUT_S = 0.3


class Dog:
    """A watchdog at work, and what it has ended."""

    def __init__(self) -> None:
        self.ended_after_s: list[float] = []
        self.watchdog = Watchdog(lambda: TIMEOUT_S, self.ended_after_s.append)
        self.watchdog.start()

    def call(self, lasts_s: float, parts: int = 1) -> threading.Thread:
        """A call on another thread, of several parts that are told of."""

        def run() -> None:
            with self.watchdog.watching():
                for _ in range(parts):
                    self.watchdog.begin_anew()
                    time.sleep(lasts_s / parts)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread


def test_a_call_that_lasts_too_long_ends_the_worker_once() -> None:
    dog = Dog()
    began_s = time.monotonic()
    call = dog.call(3 * TIMEOUT_S)
    eventually(lambda: dog.ended_after_s, 5)
    assert time.monotonic() - began_s > TIMEOUT_S
    call.join()
    assert dog.ended_after_s == [TIMEOUT_S]


def test_one_call_of_several_at_once_is_enough_to_end_the_worker() -> None:
    dog = Dog()
    dog.call(3 * TIMEOUT_S)
    for _ in range(8):
        dog.call(TIMEOUT_S / 8).join()
    eventually(lambda: dog.ended_after_s, 5)


def test_a_call_that_keeps_the_interpreter_for_itself_ends_the_process() -> None:
    # Given a call of C that keeps the interpreter's lock, as PyDLL's do
    script = """
import ctypes
from tasks.batching import watchdog
watchdog.BACKSTOP_S = 0.5
watchdog.Watchdog(lambda: 0.3, watchdog.end_worker, watchdog.end_unless_alive).start()
ctypes.PyDLL(None).sleep(60)
"""
    began_s = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert time.monotonic() - began_s < 20


def test_short_calls_do_not_end_it_however_many_nor_a_long_job_of_several_calls() -> None:
    dog = Dog()
    whole = dog.call(2 * TIMEOUT_S, parts=12)
    for _ in range(16):
        dog.call(TIMEOUT_S / 8).join()
    whole.join()
    assert dog.ended_after_s == []


def test_a_call_that_nobody_watches_is_none_of_its_business() -> None:
    # As in the warm-up, which tells of its calls too.
    dog = Dog()
    dog.watchdog.begin_anew()
    time.sleep(2 * TIMEOUT_S)
    assert dog.ended_after_s == []


def test_the_worker_ends_with_a_sentence_and_a_code_of_its_own() -> None:
    code = "from tasks.batching.watchdog import end_worker; end_worker(2.5)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == EXIT_CODE == 124
    assert done.stderr.startswith("A call of the model lasts longer than 2.5 s; the worker ends,")


def test_a_call_that_fails_is_over() -> None:
    dog = Dog()
    try:
        with dog.watchdog.watching():
            raise ValueError
    except ValueError:
        time.sleep(2 * TIMEOUT_S)
    assert dog.ended_after_s == []
