"""What is read from an input: rows that can be sent together, and rows that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from client.npy import Array


@dataclass(frozen=True, eq=False)
class RowChunk:
    """Consecutive rows of an input, as the model takes them.

    Attributes:
        first: The position of its first row in the input, from 0.
        keys: A key for each row: a path, the row's number, or what the id column says.
        inputs: An array for each of the model's inputs, of its dtype and rows on axis 0; or encoded pictures, one a
            row, as their files hold them. Strings are arrays of bytes (`S`).
    """

    first: int
    keys: Sequence[str]
    inputs: Mapping[str, Array] | Sequence[bytes]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.keys)

    @property
    def end(self) -> int:
        """The position of the row after the last one."""
        return self.first + len(self.keys)

    @property
    def bytes(self) -> int:
        """How much its rows take, in bytes."""
        if isinstance(self.inputs, Mapping):
            return sum(array.nbytes for array in self.inputs.values())
        return sum(map(len, self.inputs))

    def part(self, start: int, stop: int) -> RowChunk:
        """Some of its rows, counted within the chunk; their arrays share its memory."""
        inputs: Mapping[str, Array] | Sequence[bytes]
        if isinstance(self.inputs, Mapping):
            inputs = {name: array[start:stop] for name, array in self.inputs.items()}
        else:
            inputs = self.inputs[start:stop]
        return RowChunk(self.first + start, self.keys[start:stop], inputs)


@dataclass(frozen=True)
class UnreadRow:
    """A row that cannot be read, or does not fit the model; it goes to the error file.

    Attributes:
        position: Its position in the input, from 0.
        key: Its key; `row 17` where keys are read and this one cannot be.
        reason: Why, a sentence.
    """

    position: int
    key: str
    reason: str

    @property
    def end(self) -> int:
        """The position of the row after it."""
        return self.position + 1


def unread_key(position: int) -> str:
    """What stands for a key that cannot be read; no number, since keys may be numbers."""
    return f"row {position}"


Rows: TypeAlias = list[RowChunk | UnreadRow]
