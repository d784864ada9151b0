"""Runs the child that opens a model, with a time limit, whatever the model does to it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tasks.inspection.findings import Ending, Findings, read_findings
from tasks.inspection.subject import Subject

# What TensorFlow's fatal errors and Python's tracebacks look like in a log.
FATAL = re.compile(r"(?:^F[\d ]\S* .*?\] ?|Check failed: |^Fatal Python error: |^\w*(?:Error|Exception|Exit): )(.*)")
LONGEST_WORDS = 300


def inspect_apart(subject: Subject, timeout_s: float) -> Findings:
    """Open and try a model in a child process.

    Args:
        subject: The model.
        timeout_s: When the child is ended, with all that it started.
    """
    with TemporaryDirectory(prefix="celeriac-inspect-") as folder:
        result, log = Path(folder) / "result", Path(folder) / "log"
        ending = _run(_command(subject, result), log, timeout_s)
        return read_findings(_steps(result), ending, timeout_s)


def _command(subject: Subject, result: Path) -> list[str]:
    values = {"path": str(subject.path), "folder": str(subject.folder), "version": subject.version}
    # With -P no module is taken from the folder that the user stands in, which may be where the models were unpacked.
    return [sys.executable, "-P", "-m", "tasks.inspection.child", json.dumps(values), str(result)]


def _run(command: list[str], log: Path, timeout_s: float) -> Ending:
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            exit_code = child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return Ending(None)
        finally:
            _end(child)
    return Ending(exit_code, _last_words(log))


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started, also when this process is interrupted."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _steps(result: Path) -> list[Mapping[str, Any]]:
    """The whole lines: a child that crashes may leave half of one."""
    if not result.exists():
        return []
    lines = result.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    fatal = [line.strip() for line in lines if FATAL.search(line.strip())]
    return (fatal or lines or [""])[-1].strip()[:LONGEST_WORDS]
