"""Keeps TensorFlow's native greetings off the terminal while it is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STDERR_DESCRIPTOR = 2


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Drop what the process writes to its stderr, native code included; exceptions pass through untouched.

    TF_CPP_MIN_LOG_LEVEL does not help: TensorFlow 2.21 prints four lines on import before it looks at that.
    """
    sys.stderr.flush()
    kept = os.dup(STDERR_DESCRIPTOR)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), STDERR_DESCRIPTOR)
        yield
    finally:
        os.dup2(kept, STDERR_DESCRIPTOR)
        os.close(kept)
