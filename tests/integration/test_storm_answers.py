"""What the storm holds answers against is what its models give when they are called without a queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.storm import answers
from benchmarks.storm.sums import NUMBERS, SUMS, rows_of


def test_the_right_answers_are_the_models_own_to_the_last_bit(tmp_path: Path) -> None:
    right = answers.prepare(tmp_path / "store", tmp_path / "answers")
    for number in (0, 1, 2, 64, 77, NUMBERS - 1, NUMBERS, 3 * NUMBERS + 5):
        for model, (factor, offset) in SUMS.items():
            exact = [[int(factor) * int(x) + int(offset) for x in row] for row in rows_of(number)]
            assert right.of(model, number).tolist() == exact


def test_a_model_that_cannot_be_opened_is_told_before_the_storm(tmp_path: Path) -> None:
    for model in SUMS:
        folder = tmp_path / "store" / model / "1"
        folder.mkdir(parents=True)
        (folder / "model.toml").write_text("")
    with pytest.raises(BenchmarkError, match="could not be built and asked"):
        answers.prepare(tmp_path / "store", tmp_path / "answers")
