"""The records of a text file in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from client.backfill.inputs.block_reader import BLOCK_ROWS

#: Cells as Python objects take some twenty times their characters, for as long as a block is decoded.
_BLOCK_CHARACTERS = 1 << 18


def text_blocks(records: Iterable[str]) -> Iterator[list[str]]:
    """Lists of consecutive records: a block's worth of characters, or rows, each, at least one record."""
    block: list[str] = []
    length = 0
    for record in records:
        block.append(record)
        length += len(record)
        if length >= _BLOCK_CHARACTERS or len(block) >= BLOCK_ROWS:
            yield block
            block, length = [], 0
    if block:
        yield block
