"""The report of an inspection and the first model.toml, both made of what was found and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.spec import ModelSpec, parse_spec
from tasks.inspection.findings import Findings
from tasks.inspection.report import Report, size_text, to_json, to_lines
from tasks.inspection.starting_toml import starting_toml, write_new

SIGNATURE = {
    "inputs": {"x": {"dtype": "float32", "shape": [None, 64, 3]}},
    "outputs": {"scores": {"dtype": "float32", "shape": [None, 7]}},
}
CARD = {
    "kind": "tensors",
    "signature": SIGNATURE,
    "default_signature": "serving_default",
    "signatures": {"serving_default": SIGNATURE},
    "takes_pictures": False,
    "batching": {"max_batch_size": 64, "max_batch_wait_ms": 0.0, "sizes": []},
}
FOUND = Findings(
    format="keras",
    saved_by="Keras 2.3.1 on TensorFlow",
    card=CARD,
    rows={"inputs": ["x"], "outputs": ["scores"], "only": None},
    dry_run={"ms": 3.456, "rows": 1, "memory_bytes": 150_400_000},
)
REFUSED = {"operator": "ReadFile", "where": "f", "reason": "they read or write files that the graph names"}
REPORT = Report(Path("/models/m/1/m.h5"), 872_880, "ab" * 32, FOUND)


def lines(report: Report) -> str:
    return "\n".join(to_lines(report))


def test_a_model_that_can_be_served_is_described_to_people() -> None:
    assert lines(replace(REPORT, model_toml=Path("/models/m/1/model.toml"), is_toml_new=True)).splitlines() == [
        "/models/m/1/m.h5",
        "format      keras",
        "kind        tensors",
        "saved by    Keras 2.3.1 on TensorFlow",
        "size        872.9 kB",
        f"sha256      {'ab' * 32}",
        "signature   serving_default",
        "  input     x: float32 (rows, 64, 3)",
        "  output    scores: float32 (rows, 7)",
        "rows        any number on axis 0 of x; up to 64 share a call",
        "dry run     passed: 3.46 ms for 1 row; at most 150.4 MB of memory beside TensorFlow's own, also for more rows",
        "model.toml  /models/m/1/model.toml (written now)",
    ]


def test_names_from_a_file_do_not_command_the_terminal() -> None:
    signature = {"inputs": {"\x1b[31mx\n": {"dtype": "string", "shape": None}}, "outputs": {}}
    found = replace(FOUND, saved_by="\x1b[2J", card={**CARD, "signatures": {"\x1b[3A": signature}})
    assert all(line.isprintable() for line in to_lines(replace(REPORT, findings=found)))


def test_the_json_has_all_keys_whatever_was_found() -> None:
    served, broken = to_json(REPORT), to_json(Report(Path("m.h5"), None, None, Findings(reason="It is broken.")))
    assert set(served) == set(broken)
    assert (served["loads"], served["refused"], served["reason"]) == (True, False, None)
    assert served["signatures"] == {"serving_default": SIGNATURE}
    assert (broken["loads"], broken["reason"], broken["signatures"], broken["rows"]) == (
        False,
        "It is broken.",
        {},
        None,
    )


def test_what_is_refused_is_told_with_its_place_and_why() -> None:
    found = Findings(is_refused=True, reason="It is refused.", operators_refused=[REFUSED])
    assert "refused     ReadFile, in f: they read or write files" in lines(replace(REPORT, findings=found))
    assert to_json(replace(REPORT, findings=found))["operators_refused"] == [REFUSED]


def test_a_card_with_several_signatures_is_told_by_their_names() -> None:
    card = {**CARD, "signatures": {"a": SIGNATURE, "b": SIGNATURE}}
    assert set(to_json(replace(REPORT, findings=replace(FOUND, card=card)))["signatures"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (None, "rows        none: each job has a call of its own"),
        (
            {"inputs": ["x"], "outputs": [], "only": 4},
            "rows        exactly 4 on axis 0 of x: each job has calls of its own",
        ),
    ],
)
def test_models_whose_rows_cannot_share_calls_are_told(rows: dict[str, Any] | None, line: str) -> None:
    assert line in lines(replace(REPORT, findings=replace(FOUND, rows=rows))).splitlines()


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_540_000_000, "2.5 GB")]
)
def test_sizes_are_told_in_units_for_people(size: int, text: str) -> None:
    assert size_text(size) == text


def test_the_first_model_toml_says_what_holds_without_it() -> None:
    text = starting_toml(REPORT)
    file = Path("model.toml")
    assert parse_spec(text, file) == ModelSpec(kind="tensors", file=file)
    assert "# Written by `celeriac inspect` for m.h5 (keras, saved by Keras 2.3.1 on TensorFlow)." in text
    assert "#   input x: float32 (rows, 64, 3)" in text
    assert "of its 7 classes, in order" in text
    assert "# max_batch_size = 64" in text


def test_the_lines_in_comments_can_be_used_as_they_are() -> None:
    outputs = {name: {"dtype": "float32", "shape": [None]} for name in ("b", 'ä😀"\\')}
    card = {**CARD, "takes_pictures": True, "signature": {"inputs": {}, "outputs": outputs}}
    text = starting_toml(replace(REPORT, findings=replace(FOUND, card=card)))
    keys = ("outputs", "run_timeout_s", "[image]", "resize", "scale", "[batching]", "max_batch_size")
    used = "\n".join(
        line.removeprefix("# ") if line.startswith(tuple(f"# {key}" for key in keys)) else line
        for line in text.splitlines()
    )
    spec = parse_spec(used, Path("model.toml"))
    assert (spec.outputs, spec.run_timeout_s, spec.batching.max_batch_size) == (("b", 'ä😀"\\'), 300, 64)
    assert spec.image is not None
    assert spec.image.resize == (224, 224)


def test_a_trusted_model_stays_trusted() -> None:
    text = starting_toml(replace(REPORT, findings=replace(FOUND, operators_refused=[REFUSED])))
    assert parse_spec(text, Path("model.toml")).trusted_sha256 == ("ab" * 32,)


@given(name=st.text(max_size=30), saved_by=st.text(max_size=30))
def test_names_from_a_file_neither_break_the_toml_nor_add_to_it(name: str, saved_by: str) -> None:
    signature = {"inputs": {name: {"dtype": "string", "shape": None}}, "outputs": SIGNATURE["outputs"]}
    card = {**CARD, "signature": signature, "signatures": {name: signature}}
    text = starting_toml(replace(REPORT, findings=replace(FOUND, card=card, saved_by=saved_by)))
    assert parse_spec(text.encode("utf-8", "replace").decode(), Path("f")) == ModelSpec(kind="tensors", file=Path("f"))


def test_a_file_is_written_once_and_never_again(tmp_path: Path) -> None:
    file = tmp_path / "model.toml"
    assert write_new(file, "a") is None
    assert write_new(file, "b") == f"{file} exists and is left as it is."
    assert file.read_text() == "a"
    assert (
        write_new(tmp_path / "no" / "model.toml", "a")
        == f"{tmp_path / 'no' / 'model.toml'} was not written: No such file or directory."
    )


def test_nothing_is_written_into_a_folder_that_is_read_only(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir(mode=0o555)
    assert write_new(folder / "model.toml", "a") == f"{folder / 'model.toml'} was not written: its folder is read-only."
    assert not list(folder.iterdir())


def test_the_json_can_be_written_as_json() -> None:
    assert json.loads(json.dumps(to_json(REPORT))) == to_json(REPORT)
