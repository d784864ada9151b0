"""A backfill's writing half without a server: rows that settle with answers anyone can check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from client.backfill.beginning import begin_or_resume
from client.backfill.error_file import Failure
from client.backfill.recorder import Recorder, Settled

IDENTITY = {"input": {"files": ["rows.npy"], "size_bytes": 10}, "model": "digits", "version": 3}


class Run:
    """One process's part of a backfill: the recorder and the checkpoint, as `celeriac backfill` opens them."""

    def __init__(
        self,
        output: Path,
        identity: Mapping[str, Any] = IDENTITY,
        *,
        restart: bool = False,
        is_ordered: bool = True,
    ) -> None:
        self.checkpoint, self.state = begin_or_resume(output, identity, restart)
        try:
            self.recorder = Recorder(output, self.checkpoint, self.state, is_ordered)
        except BaseException:
            self.checkpoint.close()
            raise

    def answer(self, first: int, rows: int) -> None:
        self.recorder.settle(settled(first, rows))

    def close(self) -> None:
        self.recorder.close()
        self.checkpoint.close()


def settled(first: int, rows: int) -> Settled:
    positions = np.arange(first, first + rows)
    return Settled(first, [f"key {position}" for position in positions], {"y": positions.astype(np.float32) / 3})


def failed(first: int, rows: int) -> Settled:
    keys = [f"key {position}" for position in range(first, first + rows)]
    return Settled(first, keys, Failure("model_error", "The model could not compute this input."))
