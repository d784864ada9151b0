"""The audit of a backfill under kills sees what is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from benchmarks.storm.backfill_audit import BROKEN_EVERY, Faults, audit, input_lines

ROWS = 1000


def output() -> list[str]:
    lines = [line for line in input_lines(ROWS) if line.endswith("}")]
    rows = [json.loads(line) for line in lines]
    return [json.dumps({"id": row["id"], "y": [2 * x + 1 for x in row["x"]]}) for row in rows]


def errors() -> list[str]:
    return [json.dumps({"id": f"row {row}", "row": row, "error": {}}) for row in (BROKEN_EVERY - 1, ROWS - 1)]


def test_an_output_with_each_row_once_is_clean() -> None:
    assert audit(output(), errors(), ROWS).is_clean


@pytest.mark.parametrize(
    ("answered", "failed", "faults"),
    [
        (output()[1:], errors(), Faults(lost=1, doubled=0, misplaced=0, wrong=0)),
        (output(), errors()[1:], Faults(lost=1, doubled=0, misplaced=0, wrong=0)),
        ([*output(), output()[-1]], errors(), Faults(lost=0, doubled=1, misplaced=0, wrong=0)),
        ([output()[1], output()[0], *output()[2:]], errors(), Faults(lost=0, doubled=0, misplaced=1, wrong=0)),
        ([output()[0].replace("1.0", "9.0"), *output()[1:]], errors(), Faults(lost=1, doubled=0, misplaced=0, wrong=1)),
        (output(), [*errors(), '{"id": "row 3", "row": 3, "error": {}}'], Faults(0, 0, 0, 1)),
    ],
)
def test_each_kind_of_fault_is_counted(answered: Sequence[str], failed: Sequence[str], faults: Faults) -> None:
    assert audit(answered, failed, ROWS) == faults
