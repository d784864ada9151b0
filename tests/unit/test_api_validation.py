from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest

from api.errors import InvalidBody
from api.validation import Input, check_arrays, check_json, check_picture
from model_store.errors import InvalidInput, PictureError
from model_store.signature import Signature
from tasks.payload import decode_arrays
from tests.http_api import NPY, NPZ, PICTURES, ROWS, TWO_INPUTS, npy, npz, png

MANY_BYTES = 1_000_000


def signature(inputs: dict[str, Any]) -> Signature:
    return Signature.from_json({"inputs": inputs, "outputs": {}})


FOUR = signature(ROWS)
PAIRS = signature(TWO_INPUTS)
TEXTS = signature({"text": {"dtype": "string", "shape": [None]}})
BYTES = signature({"x": {"dtype": "uint8", "shape": [None, 2]}})
WITH_SWITCH = signature({"x": {"dtype": "float32", "shape": [None, 2]}, "training": {"dtype": "bool", "shape": []}})


def refusal(document: dict[str, Any], given: Signature = FOUR, max_bytes: int = MANY_BYTES) -> tuple[str, str, str]:
    with pytest.raises((InvalidInput, InvalidBody)) as caught:
        check_json(document, given, max_bytes)
    return caught.value.field, caught.value.expected, caught.value.got


def array_refusal(content_type: str, data: bytes, given: Signature = FOUR) -> tuple[str, str, str]:
    with pytest.raises(InvalidInput) as caught:
        check_arrays(content_type, data, given, MANY_BYTES)
    return caught.value.field, caught.value.expected, caught.value.got


def arrays_of(checked: Input, given: Signature) -> dict[str, Any]:
    arrays = decode_arrays(checked.content_type, checked.payload, given)
    return {name: array.tolist() for name, array in arrays.items()}


@pytest.mark.parametrize(
    ("document", "given", "rows", "stored"),
    [
        ({"instances": [[1, 2, 3, 4], [5, 6, 7, 8.5]]}, FOUR, 2, {"x": [[1, 2, 3, 4], [5, 6, 7, 8.5]]}),
        ({"instances": [{"x": [1, 2, 3, 4]}]}, FOUR, 1, {"x": [[1, 2, 3, 4]]}),
        ({"inputs": [[1, 2, 3, 4]]}, FOUR, 1, {"x": [[1, 2, 3, 4]]}),
        ({"inputs": {"x": [[1, 2, 3, 4]]}}, FOUR, 1, {"x": [[1, 2, 3, 4]]}),
        ({"instances": [{"a": [1, 2], "b": 3}, {"b": 6, "a": [4, 5]}]}, PAIRS, 2, {"a": [[1, 2], [4, 5]], "b": [3, 6]}),
        ({"inputs": {"b": [3], "a": [[1, 2]]}}, PAIRS, 1, {"a": [[1, 2]], "b": [3]}),
        ({"instances": ["def", "π"]}, TEXTS, 2, {"text": ["def", "π"]}),
        (
            {"inputs": {"x": [[1, 2], [3, 4]], "training": True}},
            WITH_SWITCH,
            2,
            {"x": [[1, 2], [3, 4]], "training": True},
        ),
    ],
)
def test_json_becomes_the_arrays_that_it_spells(
    document: dict[str, Any], given: Signature, rows: int, stored: dict[str, Any]
) -> None:
    checked = check_json(document, given, MANY_BYTES)
    assert checked.rows == rows
    assert checked.content_type == (NPZ if len(given.inputs) > 1 else NPY)
    assert arrays_of(checked, given) == stored


@pytest.mark.parametrize(
    ("document", "got"),
    [({}, "none of them"), ({"instances": [], "inputs": []}, "instances and inputs")],
)
def test_json_has_exactly_one_of_instances_and_inputs(document: dict[str, Any], got: str) -> None:
    assert refusal(document) == ("body", "exactly one of instances and inputs", got)


FLOATS = "float32 numbers"
BYTE_NUMBERS = "uint8 numbers from 0 to 255"


@pytest.mark.parametrize(
    ("document", "given", "expected"),
    [
        ({"instances": []}, FOUR, ("instances", "at least 1 row", "0 rows")),
        ({"instances": "1234"}, FOUR, ("instances", "a list of rows", "a JSON string")),
        ({"instances": {"x": 1}}, FOUR, ("instances", "a list of rows", "a JSON object")),
        ({"instances": [[1, 2, 3, "4"]]}, FOUR, ("instances.x", FLOATS, "a string at [0][3]")),
        ({"instances": [[1, 2, 3, None]]}, FOUR, ("instances.x", FLOATS, "null at [0][3]")),
        ({"instances": [[1, 2, 3, True]]}, FOUR, ("instances.x", FLOATS, "a boolean at [0][3]")),
        ({"instances": [[1, 2, 3, 4], [1, 2, 3]]}, FOUR, ("instances.x", FLOATS, "a ragged list")),
        ({"instances": [[1, 2, 3]]}, FOUR, ("instances.x", "shape (rows, 4)", "shape (1, 3)")),
        ({"instances": [1, 2, 3, 4]}, FOUR, ("instances.x", "shape (rows, 4)", "shape (4)")),
        ({"inputs": [[1, 2, 3]]}, FOUR, ("inputs.x", "shape (rows, 4)", "shape (1, 3)")),
        ({"inputs": []}, FOUR, ("inputs.x", "shape (rows, 4)", "shape (0)")),
        ({"inputs": [[1, 2, 3, 1e39]]}, FOUR, ("inputs.x", FLOATS, "a number out of range at [0][3]")),
        ({"instances": [[0, 256]]}, BYTES, ("instances.x", BYTE_NUMBERS, "a number out of range at [0][1]")),
        ({"instances": [[0, -1]]}, BYTES, ("instances.x", BYTE_NUMBERS, "a number out of range at [0][1]")),
        ({"instances": [[0, 10**30]]}, BYTES, ("instances.x", BYTE_NUMBERS, "a number out of range at [0][1]")),
        ({"instances": [[0, 0.5]]}, BYTES, ("instances.x", BYTE_NUMBERS, "a fraction at [0][1]")),
        ({"instances": [7]}, TEXTS, ("instances.text", 'strings or {"b64": …}', "a number at [0]")),
        (
            {"instances": [{"x": [1, 2, 3, 4]}, 5]},
            FOUR,
            ("instances[1]", "an object with the names x", "a JSON number"),
        ),
        ({"instances": [{"y": 1}]}, FOUR, ("instances[0]", "the names x", "an unknown name 'y'")),
        ({"instances": [[1, 2]]}, PAIRS, ("instances[0]", "an object with the names a, b", "a JSON array")),
        ({"instances": [{"a": [1, 2]}]}, PAIRS, ("instances[0]", "the names a, b", "nothing for 'b'")),
        ({"inputs": [[1, 2]]}, PAIRS, ("inputs", "an object with the names a, b", "a JSON array")),
        ({"inputs": {"a": [[1, 2]]}}, PAIRS, ("inputs", "the names a, b", "nothing for 'b'")),
        ({"inputs": {"a": [[1, 2]], "b": [1], "c": 1}}, PAIRS, ("inputs", "the names a, b", "an unknown name 'c'")),
        (
            {"inputs": {"a": [[1, 2]], "b": [1, 2]}},
            PAIRS,
            ("inputs", "the same number of rows in each input", "1 in a, 2 in b"),
        ),
        (
            {"instances": [{"x": [1, 2], "training": True}]},
            WITH_SWITCH,
            ("instances", "the form `inputs`, since training has no rows", "the form `instances`"),
        ),
    ],
)
def test_json_that_does_not_fit_is_refused_naming_where_what_and_what_came(
    document: dict[str, Any], given: Signature, expected: tuple[str, str, str]
) -> None:
    assert refusal(document, given) == expected


@pytest.mark.parametrize("depth", [65, 1000])
def test_json_nested_deeper_than_any_array_is_refused_before_it_is_walked_through(depth: int) -> None:
    nested: Any = "x"
    for _ in range(depth):
        nested = [nested]
    assert refusal({"inputs": nested}) == ("inputs.x", "lists nested at most 64 deep", f"{depth} deep")


def test_json_that_needs_more_memory_as_arrays_than_is_allowed_is_refused() -> None:
    field, expected, got = refusal({"instances": [[1, 2, 3, 4]] * 100}, max_bytes=1000)
    assert (field, expected) == ("instances", "at most 1000 bytes as arrays")
    assert int(got.split()[0]) > 1600


def test_arrays_are_stored_as_they_came() -> None:
    data = npy([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert check_arrays(NPY, data, FOUR, MANY_BYTES) == Input(NPY, data, 2)
    several = npz(a=np.zeros((3, 2), "float32"), b=np.zeros(3, "int32"))
    assert check_arrays(NPZ, several, PAIRS, MANY_BYTES) == Input(NPZ, several, 3)


def pickled_npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def bomb_npz() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(np.zeros((1_000_000, 4))))
    return buffer.getvalue()


ONE_ROW = npy([[1, 2, 3, 4]])


@pytest.mark.parametrize(
    ("content_type", "data", "given", "expected"),
    [
        (NPY, b"", FOUR, ("inputs.x", "a .npy array", "a damaged one, or none")),
        (NPY, b"\x93NUMPY\x01\x00", FOUR, ("inputs.x", "a .npy array", "a damaged one, or none")),
        (NPY, b"not an array", FOUR, ("inputs.x", "a .npy array", "a damaged one, or none")),
        (NPY, ONE_ROW[:-1], FOUR, ("inputs.x", "16 bytes of data after the header", "15 bytes")),
        (NPY, ONE_ROW + b"0", FOUR, ("inputs.x", "16 bytes of data after the header", "17 bytes")),
        (
            NPY,
            pickled_npy(),
            FOUR,
            ("inputs.x", "an array of numbers or strings", "pickled Python objects, which are never read"),
        ),
        (
            NPY,
            npy([[1, 2, 3, 4]], "float64"),
            FOUR,
            ("inputs.x", "dtype float32", 'dtype float64; convert it with .astype("float32")'),
        ),
        (NPY, npy([[1, 2, 3]]), FOUR, ("inputs.x", "shape (rows, 4)", "shape (1, 3)")),
        (NPY, npy([1, 2, 3, 4]), FOUR, ("inputs.x", "shape (rows, 4)", "shape (4)")),
        (NPY, npy(np.zeros((0, 4))), FOUR, ("inputs.x", "at least 1 row", "0 rows")),
        (NPY, ONE_ROW, PAIRS, ("inputs", f"{NPZ} with the arrays a, b", f"{NPY}, which holds one array")),
        (NPZ, ONE_ROW, FOUR, ("inputs", "a .npz archive", "a damaged archive, or none")),
        (NPZ, npz(x=np.zeros((1, 4), "f4"))[:-9], FOUR, ("inputs", "a .npz archive", "a damaged archive, or none")),
        (NPZ, npz(y=np.zeros((1, 4), "f4")), FOUR, ("inputs", "only the names x", "an unknown name 'y'")),
        (NPZ, npz(a=np.zeros((1, 2), "f4")), PAIRS, ("inputs", "the names a, b", "nothing for 'b'")),
        (NPZ, bomb_npz(), FOUR, ("inputs", "at most 1000000 bytes unpacked", "16000128 bytes")),
    ],
)
def test_arrays_that_do_not_fit_are_refused_naming_where_what_and_what_came(
    content_type: str, data: bytes, given: Signature, expected: tuple[str, str, str]
) -> None:
    assert array_refusal(content_type, data, given) == expected


def test_a_picture_is_one_row_and_its_bytes_say_its_type() -> None:
    data = png()
    assert check_picture(data, max_pixels=48) == Input("image/png", data, 1)


def png_header(width: int, height: int) -> bytes:
    """A PNG that ends after its header: nobody has to hold the pixels that it promises."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    empty = b"IDAT"
    chunks = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (header, empty)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"GIF89a", "no picture of a known format"),
        (ONE_ROW, "no picture of a known format"),
        (png(7, 7), "7 x 7 = 49 pixels, and at most 48"),
        (png_header(20_000, 10_000), "too large|200000000 pixels"),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused_by_its_header(data: bytes, sentence: str) -> None:
    with pytest.raises(PictureError, match=sentence):
        check_picture(data, max_pixels=48)


def test_a_picture_model_takes_arrays_too() -> None:
    pixels = np.zeros((1, 2, 2, 3), "uint8")
    assert check_arrays(NPY, npy(pixels, "uint8"), signature(PICTURES), MANY_BYTES).rows == 1
