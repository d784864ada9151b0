from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from client.errors import InputError
from client.inputs import encode, needs_signature
from client.npy import decode_npz, encode_npy, encode_npz
from client.payload import NPY, NPZ, Payload
from client.row_encoder import RowEncoder, groups, join
from client.tensor_fit import TensorFit, as_array, as_row, fits_of
from tasks.npy import decode_npy as decode_as_the_server

FLOATS = TensorFit("x", "float32", (None, 3))
BYTES = TensorFit("x", "uint8", (None,))
TEXTS = TensorFit("text", "string", (None,))


def read(payload: Payload) -> np.ndarray[Any, Any]:
    assert payload.content_type == NPY
    return np.load(io.BytesIO(payload.content), allow_pickle=False)


def picture(mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (4, 3))


def png(**options: Any) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, options.get("format", "PNG"))
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_the_bytes_of_a_picture_say_what_they_are(format: str) -> None:
    content = png(format=format)
    assert encode(content) == Payload(content, f"image/{format.lower()}")
    assert encode(memoryview(content)).content == content


def test_bytes_of_arrays_and_json_say_what_they_are_and_any_may_be_said() -> None:
    for content, content_type in (
        (encode_npy(np.zeros(2)), NPY),
        (encode_npz({"x": np.zeros(2)}), NPZ),
        (b' {"instances": []}', "application/json"),
    ):
        assert encode(content).content_type == content_type
    assert encode(b"lines", "application/jsonl").content_type == "application/jsonl"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param(b"", "empty", id="no bytes"),
        pytest.param(b"some words", "begin otherwise", id="other bytes"),
        pytest.param({}, "empty mapping", id="no arrays"),
        pytest.param("missing.npy", "missing.npy: It cannot be read", id="no file"),
        pytest.param("notes.txt", r"notes.txt: .*\.npy", id="another suffix"),
        pytest.param(np.array([object()]), "text or bytes", id="objects"),
        pytest.param(np.array(["\udcff"], dtype=object), "surrogate", id="text that is none"),
        pytest.param(Image.new("F", (2, 2)), "mode F", id="grey without a range"),
    ],
)
def test_what_cannot_be_sent_is_a_sentence(given: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        encode(given)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr", "I;16"])
def test_a_picture_of_pillows_is_sent_as_a_png_of_its_size(mode: str) -> None:
    payload = encode(picture(mode))
    assert payload.content_type == "image/png"
    with Image.open(io.BytesIO(payload.content)) as opened:
        assert opened.size == (4, 3)


def test_a_list_of_pictures_of_any_kind_is_one_form(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(png())
    payload = encode([tmp_path / "one.png", png(), picture()])
    assert payload.content_type.startswith("multipart/form-data; boundary=")
    assert payload.content.count(b'name="image"') == 3


def test_arrays_travel_as_they_are_whatever_their_order_and_dtype() -> None:
    for array in (np.arange(6.0).reshape(2, 3).T, np.array([1, 2], ">i4"), np.array(["zwölf", ""]), np.array(3)):
        np.testing.assert_array_equal(read(encode(array)), array)
    named = {"allow_pickle": np.zeros(1), "file": np.ones(2)}
    payload = encode(named)
    assert payload.content_type == NPZ
    assert {name: array.tolist() for name, array in decode_npz(payload.content).items()} == {
        "allow_pickle": [0.0],
        "file": [1.0, 1.0],
    }


@given(st.lists(st.binary(max_size=6), max_size=4) | st.lists(st.text(max_size=6), max_size=4))
def test_no_text_and_no_bytes_lose_anything_on_the_way(strings: list[Any]) -> None:
    array = np.empty(len(strings), object)
    array[:] = strings
    sent = decode_npz(encode_npz({"x": array}))["x"].tolist()
    as_bytes = [string.encode() if isinstance(string, str) else string for string in strings]
    assert [string.encode() if isinstance(string, str) else string for string in sent] == as_bytes


def test_the_server_reads_what_the_client_writes() -> None:
    strings = np.array([b"a\0", b"b"], dtype=object)
    assert decode_as_the_server(encode_npy(strings)).dtype.names == ("length", "bytes")


@pytest.mark.parametrize(
    ("value", "fit", "expected"),
    [
        pytest.param([[1, 2, 3]], FLOATS, np.array([[1, 2, 3]], "float32"), id="whole numbers for fractions"),
        pytest.param([0.5, 1, 2], FLOATS, np.array([[0.5, 1, 2]], "float32"), id="one row"),
        pytest.param([float("nan"), float("inf"), 0], FLOATS, np.array([[np.nan, np.inf, 0]], "float32"), id="nan"),
        pytest.param(7, BYTES, np.array([7], "uint8"), id="a number"),
        pytest.param("text", TEXTS, np.array([b"text"]), id="a text"),
        pytest.param(["a", "b"], TEXTS, np.array([b"a", b"b"]), id="texts"),
        pytest.param([b"\xff"], TEXTS, np.array([b"\xff"]), id="bytes"),
    ],
)
def test_plain_values_become_what_the_signature_says(
    value: Any, fit: TensorFit, expected: np.ndarray[Any, Any]
) -> None:
    array = as_array(value, fit)
    np.testing.assert_array_equal(array, expected)
    assert (array.dtype, array.shape) == (expected.dtype, expected.shape)


@pytest.mark.parametrize(
    ("value", "fit"),
    [
        pytest.param([0.5], BYTES, id="a fraction for a whole number"),
        pytest.param([256], BYTES, id="too large"),
        pytest.param([-1], BYTES, id="too small"),
        pytest.param([1e40, 0, 0], FLOATS, id="too large for float32"),
        pytest.param([True, False, True], FLOATS, id="truth for numbers"),
        pytest.param(["1", "2", "3"], FLOATS, id="texts for numbers"),
        pytest.param([1, 2], TEXTS, id="numbers for texts"),
        pytest.param(["a", 1], TEXTS, id="a number among texts"),
        pytest.param([1, "a"], TEXTS, id="a text among numbers"),
        pytest.param([[1, 2], [3]], FLOATS, id="uneven"),
        pytest.param(None, FLOATS, id="nothing"),
        pytest.param([2**70], BYTES, id="very large"),
        pytest.param([1], TensorFit("x", "bfloat16", (None,)), id="a dtype that numpy has not"),
    ],
)
def test_values_that_do_not_fit_are_refused(value: Any, fit: TensorFit) -> None:
    with pytest.raises(InputError):
        as_row(value, fit)


def test_only_plain_values_need_the_signature() -> None:
    for value in (np.zeros(1), {"x": np.zeros(1)}, "a.npy", Path("a.npy"), b"", picture(), [Path("a.png"), picture()]):
        assert not needs_signature(value)
    for value in ([1, 2], 3, ["text"], {"x": [1]}, {"x": "text"}, [np.zeros(1)], []):
        assert needs_signature(value)


def test_rows_are_read_by_what_the_model_takes_and_grouped_by_what_can_be_sent_together() -> None:
    signature = {"inputs": {"text": {"dtype": "string", "shape": [None]}}}
    texts = RowEncoder(fits_of(signature))
    rows = [texts.read(row) for row in ("one.png", "zwölf", np.str_("x"))]
    assert [len(group) for group in groups(rows)] == [3]
    assert read(join(rows)).tolist() == [b"one.png", "zwölf".encode(), b"x"]
    # One very long text makes the short ones take no more than they need.
    uneven = [texts.read(row) for row in ("short", "x" * 1_000_000, *["short"] * 6)]
    assert sum(len(join(group).content) for group in groups(uneven)) < 5_000_000
    pictures = RowEncoder({"x": BYTES})
    mixed = [pictures.read(row) for row in (picture(), png(), 1, 2, [1, 2], picture())]
    assert [len(group) for group in groups(mixed)] == [2, 2, 1, 1]
    several = RowEncoder({"a": FLOATS, "b": TEXTS})
    row = several.read({"a": [1, 2, 3], "b": "t"})
    assert decode_npz(join([row, row]).content)["a"].shape == (2, 3)
    with pytest.raises(InputError, match="inputs a, b"):
        several.read([1, 2, 3])
