"""The records of a text file in blocks of some megabytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from client.backfill.inputs.block_reader import BLOCK_BYTES, BLOCK_ROWS


def text_blocks(records: Iterable[str]) -> Iterator[list[str]]:
    """Lists of consecutive records: a block's worth of rows or characters each, at least one record."""
    block: list[str] = []
    length = 0
    for record in records:
        block.append(record)
        length += len(record)
        if length >= BLOCK_BYTES or len(block) >= BLOCK_ROWS:
            yield block
            block, length = [], 0
    if block:
        yield block
