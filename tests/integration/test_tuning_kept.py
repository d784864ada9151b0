"""The choice that tuning found is kept in the model's folder, and used as long as it is for the same file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests import tiny_models
from tests.opened_models import put_module
from tests.tuned_models import LIMIT_S, SCALE, Scaler, assert_close, tuned

X = np.array([[1, 2, 3], [-4, 5, 6], [0, 0, 1e6]], "float32")


def test_a_kept_choice_is_used_without_looking_again(tmp_path: Path) -> None:
    # Given a choice that no start would find by itself
    put_module(tmp_path, Scaler(), **tiny_models.LINEAR_SPEC)
    found = tuned(tmp_path)
    file = tmp_path / "m" / "tuning.json"
    assert found.tuning_file == file
    text = file.read_text()
    assert text.count(f'"max_rows": {found.batching.max_rows},') == 1
    file.write_text(text.replace(f'"max_rows": {found.batching.max_rows},', '"max_rows": 7,'))

    # When a worker starts that may not look
    model = tuned(tmp_path, limit_s=0)

    # Then it takes the choice
    assert model.batching.max_rows == 7
    assert model.tuning.choice == found.tuning.choice
    assert model.tuning_file is None
    np.testing.assert_allclose(model.predict({"x": X})["y"], X * SCALE)


def test_a_kept_choice_is_forgotten_with_the_file_that_it_was_found_for(tmp_path: Path) -> None:
    tiny_models.add_linear(tmp_path, "m", "keras")
    tuned(tmp_path)
    (tmp_path / "m" / "1" / "linear.h5").touch()
    assert tuned(tmp_path, limit_s=0).tuning.trials == ()
    assert tuned(tmp_path).tuning.trials


def test_a_kept_choice_that_cannot_be_made_any_more_is_passed_over(tmp_path: Path) -> None:
    # Given a choice that folds what has no variables
    tiny_models.add_linear(tmp_path, "m", "frozen_graph")
    variant = tuned(tmp_path).tuning.choice.variant
    file = tmp_path / "m" / "tuning.json"
    content = file.read_text()
    file.write_text(content.replace(f'"{variant}",\n    "base": "{variant}"', '"folded",\n    "base": "folded"'))
    assert file.read_text() != content

    # Then the model is served all the same
    model = tuned(tmp_path, limit_s=0)
    assert model.tuning.choice.variant == "plain"
    assert_close(model.predict({"x": X}), {"y": 2 * X + 1})


def test_who_looks_again_replaces_the_kept_choice(tmp_path: Path) -> None:
    tiny_models.add_linear(tmp_path, "m", "keras")
    tuned(tmp_path)
    file = tmp_path / "m" / "tuning.json"
    file.write_text("broken")
    assert tuned(tmp_path, looks_again=True).tuning_file == file
    assert '"choices"' in file.read_text()


def test_without_time_a_model_is_run_as_it_is_and_nothing_is_kept(tmp_path: Path) -> None:
    tiny_models.add_linear(tmp_path, "m", "keras")
    for toml in ("", '[tuning]\nvariant = "plain"', "[tuning]\ntime_limit_s = 0"):
        (tmp_path / "m" / "1" / "model.toml").write_text(toml)
        model = tuned(tmp_path, limit_s=LIMIT_S if toml else 0)
        assert model.tuning.choice.variant == "plain"
        assert not (tmp_path / "m" / "tuning.json").exists()
