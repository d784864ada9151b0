"""What `make bench` prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.report import row_lines, table, write_json
from benchmarks.verdict import Measure, RowResult, Samples

ROW = RowResult(
    "drain-tiny-queues",
    (Measure("the best other queue", Samples("×", (5.5, 6.0, 6.5), digits=2), at_least=5),),
    "all 100 answers equal the in-process model's",
    {"Celeriac": {"rate": Samples("jobs/s", (6000.0,))}, "RQ": {"rate": Samples("jobs/s", (1000.0,))}},
    {"arq": "No matching distribution found for arq"},
    ("a note",),
)


def test_a_row_says_its_ratio_first_and_then_what_it_was_made_of() -> None:
    first, *others = row_lines(ROW)

    assert first == "drain-tiny-queues: 6.00 × (5.50 to 6.50) the best other queue"
    text = "\n".join(others)
    for expected in ("at least 5 ×", "reached", "6,000 jobs/s", "all 100 answers", "a note"):
        assert expected in text


def test_who_could_not_be_installed_is_named_in_the_row_and_below_the_table() -> None:
    assert any("arq" in line and "No matching distribution" in line for line in row_lines(ROW))
    assert table([ROW])[-1] == "Skipped: arq: No matching distribution found for arq"


def test_the_table_has_a_line_for_each_row() -> None:
    header, rule, line, _ = table([ROW])

    assert [cell.strip() for cell in header.strip("|").split("|")] == ["row", "figure", "target", "reached"]
    assert set(rule) <= {"|", "-"}
    assert "drain-tiny-queues" in line and line.rstrip(" |").endswith("reached")


def test_the_json_file_holds_the_rows_beside_what_was_measured_on(tmp_path: Path) -> None:
    file = tmp_path / "results" / "latest.json"

    write_json(file, [ROW], {"date": "2026-11-22", "machine": {"cores": 2}})

    document = json.loads(file.read_text())
    assert document["date"] == "2026-11-22"
    (row,) = document["rows"]
    assert row["reached"] is True
    assert row["skipped"] == {"arq": "No matching distribution found for arq"}
    assert row["measures"][0]["values"] == [5.5, 6.0, 6.5]
    assert row["details"]["RQ"]["rate"]["median"] == 1000
