"""A backfill's writing half without a server: rows that settle with answers anyone can check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from client.backfill.beginning import begin_or_resume
from client.backfill.error_file import Failure
from client.backfill.output_files import OutputFiles
from client.backfill.recorder import Recorder, Settled

IDENTITY = {"input": {"files": ["rows.npy"], "size_bytes": 10}, "model": "digits", "version": 3}
FORMATS = ("jsonl", "npz", "parquet")


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
        self._recorder: Recorder | None = None
        if self.state.is_finished:
            return
        try:
            self._recorder = Recorder(output, self.checkpoint, self.state, is_ordered)
        except BaseException:
            self.checkpoint.close()
            raise

    @property
    def recorder(self) -> Recorder:
        assert self._recorder is not None, "the run has finished"
        return self._recorder

    def answer(self, first: int, rows: int) -> None:
        self.recorder.settle(settled(first, rows))

    def close(self) -> None:
        if self._recorder is not None:
            self._recorder.close()
        self.checkpoint.close()


def settled(first: int, rows: int) -> Settled:
    positions = np.arange(first, first + rows)
    return Settled(first, [f"key {position}" for position in positions], {"y": positions.astype(np.float32) / 3})


def failed(first: int, rows: int) -> Settled:
    keys = [f"key {position}" for position in range(first, first + rows)]
    return Settled(first, keys, Failure("model_error", "The model could not compute this input."))


def settle(run: Run, first: int, rows: int) -> None:
    """What became of these rows; each seventh chunk failed."""
    run.recorder.settle(failed(first, rows) if first // rows % 7 == 3 else settled(first, rows))


def read_output(path: Path) -> list[tuple[str, float]]:
    """Key and answer of each row, in the file's order."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return list(zip(arrays["id"].tolist(), arrays["y"].tolist(), strict=True))
    rows = pq.read_table(path).to_pylist() if path.suffix == ".parquet" else read_lines(path)
    return [(row["id"], float(np.float32(row["y"]))) for row in rows]


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def outcome(path: Path) -> tuple[list[tuple[str, float]], list[dict[str, Any]]]:
    """The rows with answers and those without, each in the file's order."""
    return read_output(path), read_lines(OutputFiles(path).errors)


def expected_outcome(rows: int, chunk_rows: int) -> tuple[list[tuple[str, float]], list[dict[str, Any]]]:
    """What `settle` of all chunks must lead to, told without any of what is tested."""
    answers, errors = [], []
    for position in range(rows):
        if position // chunk_rows % 7 == 3:
            error = {"type": "model_error", "message": "The model could not compute this input."}
            errors.append({"id": f"key {position}", "row": position, "error": error})
        else:
            answers.append((f"key {position}", float(np.float32(position) / np.float32(3))))
    return answers, errors
