"""Answering another process: one JSON line asked on stdin, one answered on stdout. See `benchmarks.partner`.

Runs in every contestant's virtual environment, so it needs the standard library alone.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

#: What can be asked, by name; arguments and answers are of JSON values.
Handlers = Mapping[str, Callable[..., dict[str, Any]]]


def serve(handlers: Handlers) -> None:
    """Answer until stdin ends. Whatever else is printed goes to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = handlers[question.pop("what")](**question)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
