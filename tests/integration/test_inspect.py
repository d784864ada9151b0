"""`celeriac inspect` on real files: each is opened in a process of its own, which may crash or hang."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf
from click.testing import CliRunner, Result

from model_store.spec import ModelSpec, read_spec
from model_store.trust.digest import artifact_digest
from tasks.inspect_command import inspect
from tests import tiny_models

X_SPEC = {"x": tf.TensorSpec((None, 3), tf.float32)}


@pytest.fixture(autouse=True)
def _tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child imports what this process does."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(inspect, arguments)


def test_a_model_is_described_tried_and_given_a_model_toml(tmp_path: Path) -> None:
    # When a model in a store is inspected
    folder = tiny_models.add_linear(tmp_path)
    result = run(str(tmp_path / "linear"), "--json")

    # Then one JSON object says all about it, and nothing else is printed
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert report["format"] == "saved_model"
    assert (report["loads"], report["refused"], report["reason"]) == (True, False, None)
    assert report["saved_by"] == f"TensorFlow {tf.__version__}"
    assert report["sha256"] == artifact_digest(folder)
    (signature,) = report["signatures"].values()
    assert signature["inputs"] == {"x": {"dtype": "float32", "shape": [None, 3]}}
    assert report["rows"] == {"inputs": ["x"], "outputs": ["y"], "only": None}
    assert report["dry_run"]["ms"] > 0
    assert report["dry_run"]["memory_bytes"] > 0

    # And its model.toml says what holds without it
    assert (report["model_toml"], report["model_toml_written"]) == (str(folder / "model.toml"), True)
    assert read_spec(folder) == ModelSpec(kind="tensors", file=folder / "model.toml")


def test_a_model_that_is_not_trusted_is_told_with_its_operators_and_nothing_of_it_runs(tmp_path: Path) -> None:
    def call(x: tf.Tensor) -> dict[str, tf.Tensor]:
        tf.io.write_file(str(tmp_path / "marker"), "written")
        return {"y": x + 1.0}

    folder = tiny_models.save_saved_model(tiny_models.version_folder(tmp_path, "m"), call, X_SPEC)
    result = run(str(folder))
    assert result.exit_code == 2
    assert "format      saved_model" in result.stdout
    assert "refused     WriteFile, in __inference_" in result.stdout
    assert result.stderr.startswith(f"{folder} is refused, as its graph has the operators WriteFile")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "marker").exists()
    assert not (folder / "model.toml").exists()


def test_a_model_that_crashes_its_process_is_told_in_a_sentence(tmp_path: Path) -> None:
    # Given a model that ends the process which runs it, trusted
    def call(x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.raw_ops.Abort(error_msg="enough")]):
            return {"y": x + 1.0}

    path = tiny_models.save_frozen_graph(tiny_models.version_folder(tmp_path, "m") / "m.pb", call, X_SPEC)
    (path.parent / "model.toml").write_text(f'trusted_sha256 = ["{artifact_digest(path)}"]')

    # Then it is told what it did, and all that was found before
    result = run(str(path), "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["loads"], report["refused"]) == (2, False, False)
    assert "It made its process crash (SIGABRT) while the model was being tried out" in report["reason"]
    assert [one["operator"] for one in report["operators_refused"]] == ["Abort"]
    assert report["format"] == "frozen_graph"


def test_a_model_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    result = run(str(tiny_models.add_linear(tmp_path)), "--timeout", "0.2")
    assert result.exit_code == 2
    assert (
        "It did not come to an end within 0.2 s: it was stopped while TensorFlow was being imported." in result.stderr
    )
