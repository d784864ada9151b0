"""`celeriac tune`: a table for people, JSON for programs, a choice kept for the next start, sentences for all else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import tiny_models

ROOT = Path(__file__).parents[2]


def tune(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command over a store; in a process of its own, as it binds its process to a device."""
    environment = {**os.environ, "CELERIAC_MODEL_STORE": str(store), "CELERIAC_VAR": str(store.with_name("var"))}
    return subprocess.run(
        [sys.executable, "-m", "tasks.tune_command", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    tiny_models.add_linear(store, "linear", "keras", toml="[batching]\nmax_batch_size = 8")
    return store


def test_a_model_is_tuned_by_its_path_and_the_choice_kept_beside_it(store: Path) -> None:
    done = tune(store, str(store / "linear" / "1" / "linear.h5"), "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert (told["model"], told["version"], told["format"]) == ("linear", 1, "keras")
    assert told["variant"] in ("plain", "direct", "folded", "xla")
    assert told["batching"]["max_batch_size"] == 8
    assert told["kept_in"] == str(store / "linear" / "tuning.json")
    chosen = [trial for trial in told["trials"] if trial["chosen"]]
    assert len({trial["rows"] for trial in chosen}) == len(chosen) > 0
    assert all(trial["rows_per_s"] > 0 and trial["difference"] < 1e-4 for trial in chosen)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("ghost", "has no model 'ghost'"), ("empty", "holds no model"), ("UPPER", "cannot be a model")],
)
def test_what_cannot_be_tuned_ends_with_2_and_a_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    tiny_models.version_folder(tmp_path, "empty")
    done = tune(tmp_path, name)
    assert done.returncode == 2
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if sentence in line]
    assert len(said) == 1, done.stderr
    assert "Traceback" not in done.stderr
