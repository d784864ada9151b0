"""Rows as payloads, and answers as those of rows."""

from __future__ import annotations

import numpy as np
import pytest

from client.arrays import Arrays
from client.backfill.cargo import answer_bytes, answers_of, payload_of
from client.backfill.chunk import RowChunk
from client.errors import UnexpectedReply
from client.npy import decode_npz


def chunk(rows: int) -> RowChunk:
    return RowChunk(5, [str(row) for row in range(rows)], {"x": np.arange(2.0 * rows).reshape(rows, 2)})


def test_rows_travel_as_npz_and_the_same_rows_are_the_same_bytes() -> None:
    payload = payload_of(chunk(3), None)
    assert payload.content_type == "application/x-npz"
    assert np.array_equal(decode_npz(payload.content)["x"], [[0, 1], [2, 3], [4, 5]])
    assert payload_of(chunk(3), None) == payload


def test_where_a_model_takes_a_fixed_number_the_last_row_is_repeated() -> None:
    sent = decode_npz(payload_of(chunk(2), 4).content)["x"]
    assert np.array_equal(sent, [[0, 1], [2, 3], [2, 3], [2, 3]])
    answers = answers_of(Arrays({"y": np.arange(4)}), 2, 4)
    assert isinstance(answers, dict)
    assert answers["y"].tolist() == [0, 1]


def test_pictures_travel_as_a_form() -> None:
    pictures = RowChunk(0, ["a", "b"], [b"\xff\xd8\xffone", b"\x89PNG\r\n\x1a\ntwo"])
    payload = payload_of(pictures, None)
    assert payload.content_type.startswith("multipart/form-data; boundary=")
    assert payload.content.count(b'name="image"') == 2
    assert payload.content.index(b"one") < payload.content.index(b"two")
    assert payload_of(pictures, 4).content.count(b"two") == 3


def test_detections_go_to_their_rows() -> None:
    detections = [{"row": 0, "score": 0.9}, {"row": 2, "score": 0.8}, {"row": 2, "score": 0.7}]
    assert answers_of({"detections": detections}, 3, None) == [
        {"detections": [{"score": 0.9}]},
        {"detections": []},
        {"detections": [{"score": 0.8}, {"score": 0.7}]},
    ]
    assert answers_of({"detections": [{"score": 0.9}]}, 1, None) == [{"detections": [{"score": 0.9}]}]


def test_a_classifiers_labels_are_its_rows_answers() -> None:
    labels = [{"class": 1, "label": "glad", "score": 0.5}, {"class": 2, "label": "sad", "score": 0.25}]
    assert answers_of({"outputs": {"scores": [[0.5], [0.25]]}, "labels": labels}, 2, None) == labels
    assert answers_of({"outputs": {"scores": [[0.5], [0.25]]}, "labels": []}, 2, None) == [
        {"scores": [0.5]},
        {"scores": [0.25]},
    ]


def test_an_output_without_rows_is_that_of_the_only_row_and_of_several_rows_nobodys() -> None:
    answers = answers_of(Arrays({"y": np.float32(3), "z": np.zeros((10, 4))}), 1, None)
    assert isinstance(answers, dict)
    assert answers["y"].shape == (1,)
    assert answers["z"].shape == (1, 10, 4)
    with pytest.raises(UnexpectedReply, match=r"Expected 2 rows of the output 'y'; it has the shape \(1,\)"):
        answers_of(Arrays({"y": np.zeros(1)}), 2, None)


def test_the_memory_of_answers_grows_with_them() -> None:
    assert answer_bytes({"y": np.zeros((4, 2))}) == 64
    assert answer_bytes([{"detections": [{}, {}]}]) > answer_bytes([{"detections": []}]) > 0
