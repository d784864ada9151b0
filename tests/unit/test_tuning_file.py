"""The file that keeps choices: found again under the same key only, and never a hindrance."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from model_store.rows.batching import Batching
from model_store.signature import Signature, TensorSpec
from model_store.spec import ModelSpec
from model_store.store import find_model, find_models
from model_store.tuning.choice import Choice, Trial, Tuning
from model_store.tuning.file import MOST_CHOICES, TUNING_FILE_NAME, TuningFiles, artifact_state, key_of
from model_store.tuning_spec import TuningSpec

SIGNATURE = Signature({"x": TensorSpec("float32", (None, 3))}, {"y": TensorSpec("float32", (None, 3))})
NO_SPEC = ModelSpec()
TUNING = Tuning(
    Choice("xla", "folded", (1, 8)),
    Batching(max_rows=64, max_wait_ms=1.0, sizes=(1, 8, 64), max_bytes=1000),
    (Trial("plain", 1, 3.0, 2.0), Trial("xla", 1, 30.0, 0.5, 1e-7)),
    {"direct": "gains nothing"},
    ("direct",),
)


def key(artifact: Path, spec: ModelSpec = NO_SPEC, machine: str = "here", versions: str = "2.21") -> dict[str, str]:
    return dict(key_of(artifact, SIGNATURE, spec, versions, machine))


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "store" / "m" / "1"
    folder.mkdir(parents=True)
    file = folder / "model.h5"
    file.write_bytes(b"weights")
    return file


def files(artifact: Path) -> TuningFiles:
    return TuningFiles((artifact.parents[1],), "here")


def test_what_was_kept_is_found_again_in_all_its_parts(artifact: Path) -> None:
    files(artifact).put(key(artifact), TUNING)
    assert files(artifact).find(key(artifact)) == TUNING


def test_nothing_is_found_for_another_file_model_toml_version_or_machine(artifact: Path) -> None:
    kept = files(artifact)
    kept.put(key(artifact), TUNING)
    others = [
        key(artifact, ModelSpec(outputs=("y",))),
        key(artifact, ModelSpec(tuning=TuningSpec("folded"))),
        key(artifact, machine="there"),
        key(artifact, versions="2.22"),
    ]
    assert [kept.find(other) for other in others] == [None] * 4
    artifact.write_bytes(b"heavier weights")
    assert kept.find(key(artifact)) is None


def test_what_changes_only_how_answers_are_read_changes_no_key(artifact: Path) -> None:
    spec = ModelSpec(kind="classifier", labels={0: "cat"}, min_score=0.9, run_timeout_s=5, file=Path("model.toml"))
    assert key(artifact, spec) == key(artifact)


def test_a_folder_is_another_when_a_file_in_it_changes_but_not_by_its_model_toml(tmp_path: Path) -> None:
    variables = tmp_path / "variables" / "variables.index"
    variables.parent.mkdir()
    variables.write_bytes(b"1")
    (tmp_path / "saved_model.pb").write_bytes(b"2")
    before = artifact_state(tmp_path)
    (tmp_path / "model.toml").write_text("")
    assert artifact_state(tmp_path) == before
    os.utime(variables, ns=(1, 1))
    assert artifact_state(tmp_path) != before


def test_each_machine_keeps_its_own_and_a_new_choice_replaces_the_old_one(artifact: Path) -> None:
    kept, plain = files(artifact), Tuning(trials=TUNING.trials)
    kept.put(key(artifact), TUNING)
    kept.put(key(artifact, machine="there"), plain)
    assert kept.find(key(artifact)) == TUNING
    kept.put(key(artifact), plain)
    assert kept.find(key(artifact)) == plain
    assert kept.find(key(artifact, machine="there")) == plain


def test_the_file_does_not_grow_for_ever(artifact: Path) -> None:
    kept = files(artifact)
    for number in range(MOST_CHOICES + 3):
        kept.put(key(artifact, machine=str(number)), TUNING)
    file = artifact.parents[1] / TUNING_FILE_NAME
    assert len(json.loads(file.read_text())["choices"]) == MOST_CHOICES
    assert kept.find(key(artifact, machine=str(MOST_CHOICES + 2))) == TUNING
    assert kept.find(key(artifact, machine="0")) is None


def test_the_store_takes_the_file_for_nothing_else(artifact: Path) -> None:
    store = artifact.parents[2]
    before = find_model(store, "m"), find_models(store), artifact_state(artifact.parent)
    files(artifact).put(key(artifact), TUNING)
    assert (find_model(store, "m"), find_models(store), artifact_state(artifact.parent)) == before


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"format": 1}', '{"format": 1, "choices": [1, {}]}', '{"format": 2, "choices": []}'],
)
def test_a_broken_file_is_as_good_as_none_and_is_replaced(artifact: Path, text: str) -> None:
    (artifact.parents[1] / TUNING_FILE_NAME).write_text(text)
    assert files(artifact).find(key(artifact)) is None
    files(artifact).put(key(artifact), TUNING)
    assert files(artifact).find(key(artifact)) == TUNING


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("choice", {"variant": "magic"}),
        ("choice", {"base": "xla"}),
        ("choice", {"compiled_rows": [0]}),
        ("choice", {"compiled_rows": 3}),
        ("choice", {"unknown": 1}),
        ("batching", {"max_rows": 0}),
        ("batching", {"max_rows": 10**9}),
        ("batching", {"max_rows": "many"}),
        ("batching", {"sizes": [8, 1]}),
        ("batching", {"max_wait_ms": None}),
    ],
)
def test_a_choice_that_makes_no_sense_is_not_taken(artifact: Path, part: str, values: dict[str, object]) -> None:
    files(artifact).put(key(artifact), TUNING)
    file = artifact.parents[1] / TUNING_FILE_NAME
    content = json.loads(file.read_text())
    content["choices"][0][part] |= values
    file.write_text(json.dumps(content))
    assert files(artifact).find(key(artifact)) is None


@pytest.mark.parametrize("wait_ms", ["NaN", "Infinity", "-5", "1e12", "true", "1" + 400 * "0"])
def test_a_kept_wait_that_would_never_end_or_is_none_is_not_taken(artifact: Path, wait_ms: str) -> None:
    file = files(artifact).put(key(artifact), TUNING)
    assert file is not None
    text = file.read_text()
    file.write_text(text.replace('"max_wait_ms": 1.0', f'"max_wait_ms": {wait_ms}'))
    assert files(artifact).find(key(artifact)) is None
    file.write_text(text)
    assert files(artifact).find(key(artifact)) == TUNING


@pytest.mark.parametrize("values", [{"rows": "x"}, {"variant": {}}, {"first_ms": None}, {"difference": "0"}])
def test_a_kept_trial_that_no_table_could_show_is_not_taken(artifact: Path, values: dict[str, object]) -> None:
    file = files(artifact).put(key(artifact), TUNING)
    assert file is not None
    content = json.loads(file.read_text())
    content["choices"][0]["trials"][0] |= values
    file.write_text(json.dumps(content))
    assert files(artifact).find(key(artifact)) is None


def test_where_a_folder_cannot_be_written_to_the_next_is_used(artifact: Path, tmp_path: Path) -> None:
    # A file in the place of a folder holds up everybody, the superuser too.
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    kept = TuningFiles((blocked / "m", tmp_path / "var" / "m"), "here")
    assert kept.put(key(artifact), TUNING) == tmp_path / "var" / "m" / TUNING_FILE_NAME
    assert kept.find(key(artifact)) == TUNING
    assert [entry.name for entry in (tmp_path / "var" / "m").iterdir()] == [TUNING_FILE_NAME]


def test_where_nothing_can_be_written_nothing_is_kept(artifact: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    nowhere = TuningFiles((blocked / "m",), "here")
    assert nowhere.put(key(artifact), TUNING) is None
    assert nowhere.find(key(artifact)) is None
    assert replace(nowhere, folders=()).put(key(artifact), TUNING) is None
