from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from client.backfill.output_files import OutputFiles
from tests.backfill_kills import CHUNK_ROWS, KILLS_BETWEEN_ROWS, go_on
from tests.backfill_run import FORMATS, expected_outcome, outcome

ROWS = 3000


@pytest.mark.parametrize("order", ["ordered", "unordered"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_backfill_that_is_killed_again_and_again_loses_and_doubles_no_row(
    suffix: str, order: str, tmp_path: Path
) -> None:
    output = tmp_path / f"out.{suffix}"
    command = [sys.executable, "-m", "tests.backfill_kills", str(output), str(ROWS), order]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    answers, errors = outcome(output)
    if order == "unordered":
        answers.sort(key=lambda answer: answer[1])
        errors.sort(key=lambda error: int(error["row"]))
    assert (answers, errors) == expected_outcome(ROWS, CHUNK_ROWS)
    assert int(done.stdout) >= KILLS_BETWEEN_ROWS
    assert not OutputFiles(output).spool.exists()


# Of npz also one that has room for the spool, and none for what is put together from it.
@pytest.mark.parametrize(
    ("suffix", "limit_bytes"), [("jsonl", 100_000), ("npz", 100_000), ("npz", 200_000), ("parquet", 100_000)]
)
def test_a_backfill_whose_disk_is_full_says_so_and_goes_on_when_there_is_room(
    suffix: str, limit_bytes: int, tmp_path: Path
) -> None:
    # Given: a system that gives no file more than these bytes, as a full disk gives none
    rows = 7000
    output = tmp_path / f"out.{suffix}"
    command = [sys.executable, "-m", "tests.backfill_kills", str(output), str(rows), "full", str(limit_bytes)]
    stopped = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert stopped.returncode == 1
    assert f"out.{suffix}" in stopped.stdout
    assert "cannot be written: File too large. Nothing of the last checkpoint is lost" in stopped.stdout
    assert not OutputFiles(output).unfinished.exists()
    assert suffix == "jsonl" or not output.exists(), "an output that is put together is there as a whole or not at all"
    # When there is room
    go_on(output, rows, True, lambda what: None)
    # Then nothing is missing.
    assert outcome(output) == expected_outcome(rows, CHUNK_ROWS)
