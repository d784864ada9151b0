"""What became of each row of a backfill under kills; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from benchmarks.storm.sums import SUMS, WIDTH

MODEL = "double"

#: Every so many-th row is no JSON, and belongs into the error file.
BROKEN_EVERY = 500


@dataclass(frozen=True)
class Faults:
    """What is wrong, in rows.

    Attributes:
        lost: In neither file.
        doubled: More than once in one file, or in both.
        misplaced: Behind one that comes later in the input.
        wrong: With another answer than the right one, in the wrong file, or not of the input.
    """

    lost: int
    doubled: int
    misplaced: int
    wrong: int

    @property
    def is_clean(self) -> bool:
        """Whether there is none."""
        return not any(asdict(self).values())


def input_lines(rows: int) -> Iterator[str]:
    """The input: JSON Lines whose row i holds i and its neighbours."""
    for row in range(rows):
        is_broken = row % BROKEN_EVERY == BROKEN_EVERY - 1
        yield '{"x": [' if is_broken else json.dumps({"id": f"row-{row}", "x": [float(row + i) for i in range(WIDTH)]})


def audit(output: Iterable[str], errors: Iterable[str], rows: int) -> Faults:
    """Look at the lines of the output and of the error file.

    Args:
        output: Of the rows with answers.
        errors: Of the others.
        rows: Of the input.
    """
    seen = bytearray(rows)
    wrong = misplaced = 0
    for lines, is_right in ((output, _is_answered), (errors, _is_broken)):
        before = -1
        for line in lines:
            told = json.loads(line)
            row = _row(told)
            if not 0 <= row < rows or not is_right(row, told):
                wrong += 1
                continue
            seen[row] = min(2, seen[row] + 1)
            misplaced += row < before
            before = row
    return Faults(lost=seen.count(0), doubled=seen.count(2), misplaced=misplaced, wrong=wrong)


def _row(told: dict[str, object]) -> int:
    text = str(told.get("row", str(told.get("id", "")).removeprefix("row-")))
    return int(text) if text.isdecimal() else -1


def _is_answered(row: int, told: dict[str, object]) -> bool:
    one = SUMS[MODEL]
    return told.get("y") == [one.factor * (row + i) + one.offset for i in range(WIDTH)]


def _is_broken(row: int, told: dict[str, object]) -> bool:
    return row % BROKEN_EVERY == BROKEN_EVERY - 1
