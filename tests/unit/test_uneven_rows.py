from __future__ import annotations

import numpy as np
import pytest

from model_store.errors import InvalidInput
from model_store.rows.uneven import Part, put_together, stack
from tasks.picture_list import pack_pictures, unpack_pictures


def rows(*sizes: int) -> list[dict[str, np.ndarray]]:
    """A row of each size, filled with its number."""
    return [{"x": np.full((1, size), number)} for number, size in enumerate(sizes)]


def parts_of(*sizes: int) -> list[Part]:
    return stack(rows(*sizes), sizes)


def test_rows_of_one_size_are_one_part() -> None:
    (part,) = parts_of(3, 3, 3)
    assert part.rows == (0, 1, 2)
    assert part.arrays["x"].tolist() == [[0] * 3, [1] * 3, [2] * 3]


def test_rows_of_different_sizes_are_parts_of_equal_ones() -> None:
    parts = parts_of(3, 2, 3, 2, 1)
    assert [part.rows for part in parts] == [(0, 2), (1, 3), (4,)]
    assert [part.arrays["x"].shape for part in parts] == [(2, 3), (2, 2), (1, 1)]


def test_the_outputs_of_all_parts_come_in_the_order_of_the_rows() -> None:
    parts = parts_of(3, 2, 3, 2, 1)
    outputs = [{"first": part.arrays["x"][:, 0]} for part in parts]
    whole = put_together(parts, outputs, frozenset({"first"}))
    assert whole and whole["first"].tolist() == [0, 1, 2, 3, 4]


def test_an_output_without_rows_is_told_of_each_row() -> None:
    parts = parts_of(3, 2, 3)
    outputs = [{"boxes": np.full((1, 4), 5)}, {"boxes": np.full((1, 4), 6)}]
    whole = put_together(parts, outputs, frozenset())
    assert whole and whole["boxes"].tolist() == [[[5] * 4], [[6] * 4], [[5] * 4]]


def test_outputs_of_different_shapes_do_not_go_together_unless_they_are_made_even() -> None:
    parts = parts_of(3, 2)
    outputs = [
        {"scores": np.array([[0.5, 0.25]]), "names": np.array([["a", "b"]])},
        {"scores": np.array([[1.0]]), "names": np.array([["cc"]])},
    ]
    assert put_together(parts, outputs, frozenset(outputs[0])) is None
    whole = put_together(parts, outputs, frozenset(outputs[0]), fills_up=True)
    assert whole and whole["scores"].tolist() == [[0.5, 0.25], [1.0, 0.0]]
    assert whole["names"].tolist() == [["a", "b"], ["cc", ""]]


def test_pictures_are_packed_and_unpacked_byte_for_byte() -> None:
    files = [b"", b"\x00", b"x" * 300, b"\xff\xd9\x00"]
    assert unpack_pictures(pack_pictures(files)) == files


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00" * 8,
        b"\xff" * 8,
        pack_pictures([b"abc"])[:-1],
        pack_pictures([b"abc"]) + b"d",
        pack_pictures([b"a", b"b"])[:17],
    ],
)
def test_a_damaged_list_of_pictures_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidInput, match="a damaged one"):
        unpack_pictures(payload)
