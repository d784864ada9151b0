"""Blocks of rows, as large as suits the file, handed out in portions as large as suits the caller."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from client.backfill.chunk import Rows, UnreadRow
from client.backfill.inputs.joining import compact, join

#: About how much a kind of file reads at once; what a reader holds beyond the portion that it hands out.
BLOCK_BYTES = 4 << 20

#: Where rows are small, so that the Python objects beside the arrays (keys, cells) stay small too.
BLOCK_ROWS = 2048

Blocks: TypeAlias = Generator[Rows, None, None]


def _nothing() -> None:
    """Most kinds put nothing aside."""


@dataclass(frozen=True)
class BlockSource:
    """A source whose kind of file is a function from a position to the blocks that follow it.

    Attributes:
        fingerprint: As `Source` has it.
        total_rows: As `Source` has it.
        notes: As `Source` has it.
        blocks: Yields all rows from a position on, in blocks of any size; its files are closed with it.
        keys: Goes through the keys of all rows where two of them could be equal; None: they cannot.
        discard: Deletes what was put aside.
    """

    fingerprint: Mapping[str, Any]
    total_rows: int | None
    notes: Sequence[str]
    blocks: Callable[[int], Blocks]
    keys: Callable[[], Iterator[str]] | None = None
    discard: Callable[[], None] = _nothing

    def read(self, position: int) -> BlockReader:
        """A reader whose first row is the one at `position`."""
        return BlockReader(self.blocks(position))

    def close(self) -> None:
        """Delete what was put aside."""
        self.discard()


class BlockReader:
    """Cuts blocks into portions, and joins what was cut without need."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._pending: Rows = []  # in reverse order

    def next(self, most_rows: int, most_bytes: int) -> Rows:
        """The rows that come next, see `Reader`."""
        taken: Rows = []
        rows = size = 0
        while rows < most_rows and self._has_more():
            item = self._pending.pop()
            if isinstance(item, UnreadRow):
                taken.append(item)
                rows += 1
                continue
            count = min(len(item), most_rows - rows, (most_bytes - size) * len(item) // max(1, item.bytes))
            if count < 1 and taken:
                self._pending.append(item)
                break
            count = max(1, count)
            taken.append(item.part(0, count))
            rows += count
            size += item.part(0, count).bytes
            if count < len(item):
                self._pending.append(item.part(count, len(item)))
        return [compact(row) for row in join(taken)]

    def close(self) -> None:
        """Close the files of the blocks."""
        self._blocks.close()

    def _has_more(self) -> bool:
        while not self._pending:
            block = next(self._blocks, None)
            if block is None:
                return False
            self._pending = block[::-1]
        return True
