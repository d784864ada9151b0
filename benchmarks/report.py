"""The figures for people, as lines, and for programs, as `latest.json`. Pure but for writing the file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.verdict import RowResult


def row_lines(result: RowResult) -> list[str]:
    """One row: ratios first, then what they were made of."""
    lines = [f"{result.row}: {result.figure}", f"    target: {result.target}: {_word(result)}"]
    width = max((len(who) for who in result.details), default=0)
    for who, figures in result.details.items():
        lines.append(f"    {who:{width}}  " + ", ".join(f"{what} {samples}" for what, samples in figures.items()))
    lines += [f"    skipped: {who}: {why}" for who, why in result.skipped.items()]
    lines += [f"    {note}" for note in result.notes]
    return [*lines, f"    checked: {result.checked}"]


def table(results: Sequence[RowResult]) -> list[str]:
    """Rows with figure, target, reached; Markdown."""
    rows = [(one.row, one.figure, one.target, _word(one)) for one in results]
    lines = [("row", "figure", "target", "reached"), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    text = ["| " + " | ".join(f"{cell:{w}}" for cell, w in zip(line, widths, strict=True)) + " |" for line in lines]
    skipped = {who: why for one in results for who, why in one.skipped.items()}
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [text[0], rule, *text[1:], *(f"Skipped: {who}: {why}" for who, why in skipped.items())]


def write_json(file: Path, results: Sequence[RowResult], about: Mapping[str, Any]) -> None:
    """Write `latest.json`: the rows, beside date, machine, versions and plan."""
    document = {**about, "rows": [one.to_json() for one in results]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _word(result: RowResult) -> str:
    return "reached" if result.reached else "not reached"
