from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_store.coco import COCO_LABELS
from model_store.errors import SpecError
from model_store.kind import with_kind
from model_store.labels import find_label_map, read_label_file
from model_store.signature import Signature, TensorSpec
from model_store.spec import ModelSpec, parse_spec

LABEL_MAP = """
# Made by hand.
item {
  name: "/m/01g317"
  id: 1
  display_name: "person"
}
item { id: 17 name: 'cat' }  # no display name
item {
  id: 18
  name: "a \\"dog\\" with } and # in its name"
  keypoints { id: 0 label: "nose" }
}
"""
MAPPED = {1: "person", 17: "cat", 18: 'a "dog" with } and # in its name'}


ESCAPED = r"""item: { id: 5 name: "\303\251t\303\251" } item { name: 'rock\'n roll' id: 6 instance_count: 9 }"""


def labels_in(folder: Path, name: str, text: str, first_class: int = 0) -> dict[int, str]:
    (folder / name).write_text(text, encoding="utf-8")
    return dict(read_label_file(folder / name, first_class))


@pytest.mark.parametrize("name", ["label_map.pbtxt", "mscoco_label_map.PBTXT"])
def test_a_label_map_says_the_number_and_the_name_of_each_class(tmp_path: Path, name: str) -> None:
    assert labels_in(tmp_path, name, LABEL_MAP) == MAPPED


def test_a_label_map_may_have_escaped_letters(tmp_path: Path) -> None:
    assert labels_in(tmp_path, "label_map.pbtxt", ESCAPED) == {5: "été", 6: "rock'n roll"}


@pytest.mark.parametrize(
    "value",
    [
        {"1": "person", "17": "cat"},
        {"person": 1, "cat": 17},
        [{"id": 1, "name": "person"}, {"id": 17, "name": "/m/1", "display_name": "cat"}],
    ],
)
def test_json_says_numbers_and_names_either_way(tmp_path: Path, value: object) -> None:
    assert labels_in(tmp_path, "labels.json", json.dumps(value)) == {1: "person", 17: "cat"}


def test_lists_count_from_0_unless_model_toml_says_otherwise(tmp_path: Path) -> None:
    assert labels_in(tmp_path, "a.json", '["cat", "dog"]') == {0: "cat", 1: "dog"}
    assert labels_in(tmp_path, "a.json", '["cat", "dog"]', first_class=1) == {1: "cat", 2: "dog"}
    assert labels_in(tmp_path, "a.txt", "cat\n\ndog\n", first_class=1) == {1: "cat", 3: "dog"}
    assert labels_in(tmp_path, "a.txt", "\ufeff???\r\ncat\r\n") == {0: "???", 1: "cat"}


def test_numbered_lines_say_it_themselves(tmp_path: Path) -> None:
    assert labels_in(tmp_path, "a.txt", "1: person\n17 cat\n18\tdog", first_class=5) == {
        1: "person",
        17: "cat",
        18: "dog",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.pbtxt", "node { name: 'x' }"),
        ("a.pbtxt", "item { id: 1 }"),
        ("a.pbtxt", "item { name: 'x' }"),
        ("a.json", "{"),
        ("a.json", "[" * 100_000),
        ("a.json", '{"x": [1]}'),
        ("a.json", "[1, 2]"),
        ("a.json", "[]"),
        ("a.txt", "\n"),
    ],
)
def test_a_file_without_labels_is_refused_saying_what_was_expected(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(SpecError, match=r"a\.\w+ has no labels: expected "):
        labels_in(tmp_path, name, text)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        read_label_file(tmp_path / "a.txt", 0)
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="has no labels"):
        read_label_file(tmp_path / "b.txt", 0)
    (tmp_path / "c.txt").write_bytes(b"cat\n" * 2_000_000)
    with pytest.raises(SpecError, match="larger than"):
        read_label_file(tmp_path / "c.txt", 0)


def test_model_toml_names_a_file_beside_it_or_coco(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog")
    file = tmp_path / "model.toml"
    assert parse_spec('labels = "names.txt"\nfirst_class = 1', file).labels == {1: "cat", 2: "dog"}
    assert parse_spec('labels = ["cat"]\nfirst_class = 1', file).labels == {1: "cat"}
    assert parse_spec('labels = "coco"', file).labels == COCO_LABELS
    for wrong in ("../names.txt", "/etc/passwd", "names", "cocoa"):
        with pytest.raises(SpecError, match="labels must be a list of names, a table"):
            parse_spec(f'labels = "{wrong}"', file)
    with pytest.raises(SpecError, match="first_class must be"):
        parse_spec('labels = ["cat"]\nfirst_class = -1', file)


def test_coco_has_80_names_at_the_numbers_that_detectors_give() -> None:
    assert len(COCO_LABELS) == 80
    told = {number: COCO_LABELS[number] for number in (1, 13, 44, 62, 90)}
    assert told == {1: "person", 13: "stop sign", 44: "bottle", 62: "chair", 90: "toothbrush"}
    assert 12 not in COCO_LABELS


DETECTOR = Signature(
    {},
    {
        "detection_boxes": TensorSpec("float32", (None, 9, 4)),
        "detection_scores": TensorSpec("float32", (None, 9)),
        "detection_classes": TensorSpec("float32", (None, 9)),
    },
)
SCORES = Signature({}, {"scores": TensorSpec("float32", (None, 9))})


def test_the_outputs_decide_the_kind_where_model_toml_is_silent(tmp_path: Path) -> None:
    labelled = ModelSpec(labels={0: "cat"})
    assert with_kind(ModelSpec(), DETECTOR, tmp_path).kind == "detector"
    assert with_kind(labelled, DETECTOR, tmp_path).kind == "detector"
    assert with_kind(labelled, SCORES, tmp_path).kind == "classifier"
    assert with_kind(ModelSpec(), SCORES, tmp_path).kind == "tensors"
    assert with_kind(ModelSpec(kind="tensors"), DETECTOR, tmp_path).kind == "tensors"
    assert with_kind(parse_spec('detections.boxes = "b"', tmp_path), SCORES, tmp_path).kind == "detector"


def test_a_detector_takes_the_label_map_that_lies_beside_it(tmp_path: Path) -> None:
    assert find_label_map(tmp_path) is None
    (tmp_path / "hand_label_map.pbtxt").write_text(LABEL_MAP)
    (tmp_path / "graph.pbtxt").write_text("node { name: 'x' }")
    assert with_kind(ModelSpec(), DETECTOR, tmp_path).labels == MAPPED
    assert with_kind(ModelSpec(labels={1: "x"}), DETECTOR, tmp_path).labels == {1: "x"}
    assert with_kind(ModelSpec(), SCORES, tmp_path).labels is None
    # Of two nobody can tell which is meant.
    (tmp_path / "label_map.pbtxt").write_text(LABEL_MAP)
    assert with_kind(ModelSpec(), DETECTOR, tmp_path).labels is None
