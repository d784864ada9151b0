"""`send` in a loop, `get_result` in a loop."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from benchmarks.contestants.dramatiq.app import predict
from benchmarks.desk import Array, npy


class Desk:
    """See `benchmarks.desk.Desk`."""

    def __init__(self) -> None:
        self._messages: list[Any] = []

    def submit(self, rows: Sequence[Array]) -> None:
        """One call of `send` a job."""
        self._messages += [predict.send(base64.b64encode(npy(row)).decode()) for row in rows]

    def collect(self) -> list[list[float]]:
        """Results in order."""
        answers = [message.get_result(block=True) for message in self._messages]
        self._messages = []
        return answers
