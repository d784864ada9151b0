from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from client.tables import answer_table, describe_inputs, failure_lines, models_table

LAMP = {"label": "lamp", "class": 1, "score": 0.987654, "box": [0.1, 0.2, 0.3, 0.4], "box_pixels": [1, 2, 3, 4]}


def words(table: Table | None) -> list[list[str]]:
    """The words of each line that has some."""
    assert table is not None
    page = io.StringIO()
    Console(file=page, width=200).print(table)
    lines = [line.split() for line in page.getvalue().splitlines()]
    return [line for line in lines if line and line[0].isascii()]


def test_detections_of_one_picture_show_label_class_score_and_box_in_pixels() -> None:
    heading, line = words(answer_table({"detections": [LAMP]}))
    assert heading[:3] == ["label", "class", "score"]
    assert line == ["lamp", "1", "0.9877", "1,", "2,", "3,", "4"]


def test_detections_of_several_pictures_say_which_row_each_is_of() -> None:
    heading, first, second = words(answer_table({"detections": [{"row": 0, **LAMP}, {"row": 2, **LAMP}]}))
    assert (heading[0], first[0], second[0]) == ("row", "0", "2")


@pytest.mark.parametrize(
    ("rows", "expected"), [(1, [["cat", "3", "1"]]), (2, [["0", "cat", "3", "1"], ["1", "cat", "3", "1"]])]
)
def test_labels_are_numbered_by_row_only_where_there_are_several(rows: int, expected: list[list[str]]) -> None:
    labels = [{"label": "cat", "class": 3, "score": 1.0}] * rows
    assert words(answer_table({"outputs": {}, "labels": labels}))[1:] == expected


def test_an_answer_of_plain_tensors_is_no_table() -> None:
    assert answer_table({"outputs": {"y": [1.0]}}) is None


def test_inputs_show_dtype_and_shape_with_a_question_mark_where_the_size_may_vary() -> None:
    image: dict[str, Any] = {"dtype": "uint8", "shape": [None, 8, 8, 3]}
    assert describe_inputs({"image": image, "free": {"dtype": "string", "shape": None}}) == (
        "image: uint8 (?, 8, 8, 3)\nfree: string any shape"
    )


def test_a_model_that_was_never_ready_has_dashes_and_its_reason() -> None:
    broken: dict[str, Any] = {"name": "broken", "status": "failed", "version": None, "format": None, "signature": None}
    broken |= {"workers": [], "queued": 0, "failure": "No file."}
    assert words(models_table([broken]))[1] == ["broken", "failed", "-", "-", "0", "0"]
    assert failure_lines([broken, {"name": "fine", "failure": None}]) == ["broken: No file."]


def test_names_and_reasons_cannot_steer_the_terminal() -> None:
    hostile = {**LAMP, "label": "\x1b[2J[red]x"}
    assert words(answer_table({"detections": [hostile]}))[1][0] == "?[2J[red]x"
    assert failure_lines([{"name": "a", "failure": "\x1b]0;x\x07"}]) == ["a: ?]0;x?"]
