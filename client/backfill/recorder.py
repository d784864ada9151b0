"""What became of each row, written down: answers to the output, failures to the error file, and the checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from client.backfill.answers import Answers
from client.backfill.checkpoint import Checkpoint
from client.backfill.error_file import ErrorFile, Failure
from client.backfill.output_files import OutputFiles
from client.backfill.outputs.output import open_output
from client.backfill.run_state import RunState, Span


@dataclass(frozen=True, eq=False)
class Settled:
    """Consecutive rows that have ended together.

    Attributes:
        first: The position of the first in the input, from 0.
        keys: A row's key each.
        outcome: Their answers, or why they have none.
    """

    first: int
    keys: Sequence[str]
    outcome: Answers | Failure

    @property
    def span(self) -> Span:
        """Which rows these are."""
        return Span(self.first, len(self.keys))


class Recorder:
    """Writes settled rows into the files of a run, in the order of the input or as they come.

    In the input's order, rows that settle early are held in memory until those before them have: how many that can be
    is bounded by who submits, by looking at `next_position`. To be used from one thread at a time.
    """

    def __init__(self, output: Path, checkpoint: Checkpoint, state: RunState, is_ordered: bool) -> None:
        """Open the files where the run is; `begin_or_resume` gives `checkpoint` and `state`.

        Raises:
            OutputError: A file is not what it was, or cannot be written.
            ValueError: The run has finished: there is nothing to write.
        """
        if state.is_finished:
            raise ValueError("The run has finished.")
        files = OutputFiles(output)
        self._checkpoint = checkpoint
        self._is_ordered = is_ordered
        self._held: dict[int, Settled] = {}
        self._ends = {island.first: island.end for island in state.islands}
        self._unsaved: list[Span] = []
        self._rows_failed = 0
        self._next_position = self._after_islands(state.position)
        self._output = open_output(output, state.output)
        try:
            self._errors = ErrorFile(files, state.errors)
        except BaseException:
            self._output.close()
            raise
        if state.output is None:
            # From here on the files are known to be ours.
            self._save()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files; what was settled and not flushed is to be done again by the next run."""
        self._output.close()
        self._errors.close()

    @property
    def takes_documents(self) -> bool:
        """Whether the output can hold a JSON document a row; else a detector is asked for its arrays."""
        return self._output.takes_documents

    @property
    def next_position(self) -> int:
        """The first row that has not settled yet."""
        return self._next_position

    @property
    def held_rows(self) -> int:
        """How many rows wait in memory for those before them."""
        return sum(settled.span.rows for settled in self._held.values())

    def settle(self, settled: Settled) -> None:
        """Write rows that have ended, or hold them until it is their turn.

        Raises:
            OutputError: The answers do not fit, or the disk takes no more.
            ValueError: These rows have settled before.
        """
        first = settled.first
        if first < self._next_position or first in self._held or first in self._ends:
            raise ValueError(f"Row {first} has settled before.")
        if not self._is_ordered:
            self._write(settled)
            self._ends[first] = settled.span.end
            self._next_position = self._after_islands(self._next_position)
            return
        self._held[first] = settled
        while due := self._held.pop(self._next_position, None):
            self._write(due)
            self._next_position = self._after_islands(due.span.end)

    def _after_islands(self, position: int) -> int:
        """The first position, from this one on, that is not written."""
        while position in self._ends:
            position = self._ends.pop(position)
        return position

    def _write(self, settled: Settled) -> None:
        if isinstance(settled.outcome, Failure):
            self._errors.write(settled.first, settled.keys, settled.outcome)
            self._rows_failed += settled.span.rows
        else:
            self._output.write(settled.first, settled.keys, settled.outcome)
        span = settled.span
        if self._unsaved and self._unsaved[-1].end == span.first:
            begun = self._unsaved.pop()
            span = Span(begun.first, begun.rows + span.rows)
        self._unsaved.append(span)

    def flush(self) -> None:
        """Make everything that was written durable, and the checkpoint with it.

        Raises:
            OutputError: The disk is full, or broken.
            CheckpointError: The same, of the checkpoint.
        """
        if self._unsaved:
            self._save()

    def _save(self) -> None:
        output, errors = self._output.flush(), self._errors.flush()
        self._checkpoint.record_written(self._unsaved, self._rows_failed, output, errors)
        self._unsaved, self._rows_failed = [], 0

    def finish(self) -> None:
        """After the last row: complete the output. Killed in here, the next run has only this to do again.

        Raises:
            OutputError: The disk is full, or broken.
            ValueError: Rows are held that wait for others.
        """
        if self._held:
            raise ValueError(f"Row {self._next_position} has not settled, and {self.held_rows} rows wait for it.")
        self.flush()
        self._output.finish()
        self._errors.finish()
        self._checkpoint.finish()
        self._output.clean_up()
