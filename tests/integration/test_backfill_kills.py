from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from client.backfill.output_files import OutputFiles
from tests.backfill_kills import CHUNK_ROWS, KILLS_BETWEEN_ROWS
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
