from __future__ import annotations

import io
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.validation import check_json
from model_store.byte_strings import as_text, concatenate, pack, unpack
from model_store.errors import InvalidInput
from model_store.signature import Signature, TensorSpec
from tasks.payload import NPY, NPZ, decode_arrays, encode_arrays, read_headers
from tasks.result import encode_result, only_output, result_json

TEXTS = Signature({"text": TensorSpec("string", (None,))}, {})
ONE_TEXT = Signature({"text": TensorSpec("string", ())}, {})
NOTHING = Signature({}, {})
MANY_BYTES = [b"", b"plain", "zwölf".encode(), b"\xff\xd8\xff", b"ends\0\0", b"\0", bytes(range(256))]


def objects(strings: Any) -> np.ndarray:
    array = np.empty(len(strings), object)
    array[:] = strings
    return array


def test_bytes_that_are_text_are_numpys_text_and_others_stay_bytes() -> None:
    assert as_text(objects([b"a", "ö".encode()])).tolist() == ["a", "ö"]
    assert as_text(np.array(b"a", object)).shape == ()
    assert as_text(np.empty((0, 2), object)).dtype.kind == "U"
    for strings in ([b"a", b"\xff"], [b"a\0"]):
        assert as_text(objects(strings)).tolist() == strings


@pytest.mark.parametrize("strings", [[b"a", b"\xff\xfe"], MANY_BYTES, [b"\0"], [b""], []])
def test_any_bytes_are_the_same_after_npy(strings: list[bytes]) -> None:
    content_type, payload = encode_arrays({"text": objects(strings)})
    assert content_type == NPY
    decoded = decode_arrays(NPY, payload, TEXTS)["text"]
    assert decoded.tolist() == strings


def test_bytes_without_zeros_at_the_end_are_what_numpy_itself_writes() -> None:
    assert pack(objects([b"ab", b"\xff"])).dtype == np.dtype("S2")
    assert pack(objects([b"ab\0"])).dtype.names == ("length", "bytes")
    array = np.array([["a"]])
    assert unpack(array) is array


def test_text_and_bytes_below_each_other_are_bytes() -> None:
    below = concatenate([np.array(["a", "ö"]), objects([b"\xff"])])
    assert below.tolist() == [b"a", "ö".encode(), b"\xff"]
    assert concatenate([np.array(["a"]), np.array(["bc"])]).dtype.str[1:] == "U2"
    assert concatenate([np.array([1]), np.array([2.5])]).tolist() == [1, 2.5]


def test_shapes_stay() -> None:
    strings = objects(MANY_BYTES[:6]).reshape(2, 3)
    assert unpack(pack(strings)).tolist() == strings.tolist()
    scalar = np.empty((), object)
    scalar[()] = b"a\0"
    assert unpack(pack(scalar))[()] == b"a\0"


def test_other_objects_are_no_strings() -> None:
    with pytest.raises(ValueError, match="array of bytes is expected"):
        encode_arrays({"text": np.array([b"a", 1], object)})


def test_a_client_cannot_send_the_two_fields() -> None:
    _, payload = encode_arrays({"text": objects([b"a\0"])})
    with pytest.raises(InvalidInput, match="expected an array of numbers or strings"):
        read_headers(NPY, payload, TEXTS, 1000)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"instances": [{"b64": "/9g="}, "a", {"b64": ""}]}, [b"\xff\xd8", b"a", b""]),
        ({"instances": ["ö", {"b64": "AAA="}]}, ["ö".encode(), b"\0\0"]),
        ({"instances": [{"text": {"b64": "/9g="}}]}, [b"\xff\xd8"]),
        ({"inputs": {"text": ["a", {"b64": "YQA="}]}}, [b"a", b"a\0"]),
        ({"inputs": ["a", "b\0"]}, [b"a", b"b\0"]),
        ({"inputs": ["a", "b"]}, ["a", "b"]),
    ],
)
def test_json_has_bytes_as_base64_beside_text(document: dict[str, Any], expected: list[Any]) -> None:
    checked = check_json(document, TEXTS, 10_000)
    assert checked.rows == len(expected)
    assert decode_arrays(checked.content_type, checked.payload, TEXTS)["text"].tolist() == expected


def test_a_scalar_may_be_bytes() -> None:
    checked = check_json({"inputs": {"b64": "/9gA"}}, ONE_TEXT, 1000)
    assert decode_arrays(checked.content_type, checked.payload, ONE_TEXT)["text"][()] == b"\xff\xd8\0"


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (["a", {"b64": "!"}], "an object at [1]"),
        (["a", {"b64": 1}], "an object at [1]"),
        (["a", {"base64": "YQ=="}], "an object at [1]"),
        (["a", {"b64": "YQ==", "more": 1}], "an object at [1]"),
        ([["a"], {"b64": "YQ=="}], "a ragged list"),
        ([{"b64": "YQ=="}, ["a"]], "a list that is nested deeper than its neighbours at [1]"),
    ],
)
def test_an_object_that_is_no_bytes_is_refused_by_its_place(value: Any, got: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_json({"inputs": {"text": value}}, TEXTS, 1000)
    assert (caught.value.expected, caught.value.got) == ('strings or {"b64": …}', got)


def test_an_input_that_is_called_b64_is_a_name() -> None:
    signature = Signature({"b64": TensorSpec("string", (None,))}, {})
    checked = check_json({"instances": [{"b64": "text"}]}, signature, 1000)
    assert decode_arrays(checked.content_type, checked.payload, signature)["b64"].tolist() == ["text"]


def test_results_have_text_as_text_and_other_bytes_as_base64_in_json() -> None:
    parts = encode_result({"s": objects([b"a", b"\xff", b"b\0"]).reshape(3, 1)}, None, None)
    assert result_json(parts) == {"outputs": {"s": [["a"], [{"b64": "/w=="}], ["b\0"]]}}
    plain = encode_result({"s": objects([b"a", b"\xff"])}, None, None)
    assert np.load(io.BytesIO(only_output(plain) or b""), allow_pickle=False).tolist() == [b"a", b"\xff"]


def test_a_signature_without_inputs_takes_an_empty_object_or_archive() -> None:
    checked = check_json({"inputs": {}}, NOTHING, 1000)
    assert (checked.content_type, checked.rows) == (NPZ, 1)
    assert decode_arrays(NPZ, checked.payload, NOTHING) == {}
    with pytest.raises(InvalidInput, match="which holds one array"):
        read_headers(NPY, b"", NOTHING, 1000)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.binary(max_size=4).map(lambda data: {"b64": b64encode(data).decode()}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["b64", "x"]), inner, max_size=2),
    max_leaves=6,
)


@given(st.lists(st.binary(max_size=6), min_size=1, max_size=5))
def test_any_bytes_are_the_same_through_json_and_back(strings: list[bytes]) -> None:
    encoded = [{"b64": b64encode(string).decode()} for string in strings]
    checked = check_json({"instances": encoded}, TEXTS, 10_000)
    arrays = decode_arrays(checked.content_type, checked.payload, TEXTS)
    assert arrays["text"].tolist() == strings
    again = result_json(encode_result(arrays, None, None))["outputs"]["text"]
    assert [b64decode(item["b64"]) if isinstance(item, dict) else item.encode() for item in again] == strings


@given(JSON_VALUES)
def test_whatever_stands_for_strings_is_taken_or_refused_in_a_sentence(value: Any) -> None:
    with suppress(InvalidInput):
        checked = check_json({"inputs": {"text": value}}, TEXTS, 10_000)
        assert decode_arrays(checked.content_type, checked.payload, TEXTS)["text"].ndim == 1
