"""A process that the benchmark asks, perhaps in another environment; its side is `benchmarks.serving`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.process import Process


class Partner:
    """A process that answers questions, see `benchmarks.serving`. Ends with its `with` block."""

    def __init__(self, argv: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._process = Process(argv, environment, log, talks=True)

    def __enter__(self) -> Partner:
        self._process.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        """The answer.

        Raises:
            BenchmarkError: the other side has ended, or says that it cannot.
        """
        line = self._process.exchange(json.dumps({"what": what, **arguments}))
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchmarkError(f"{self._process.name} could not {what}: {answer['error']}")
        return answer
