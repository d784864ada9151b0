from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_store.errors import InvalidInput
from model_store.json_arrays import array_from_json
from model_store.signature import TensorSpec


def json_refusal(value: Any, dtype: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        array_from_json(value, TensorSpec(dtype, None), "inputs.x")
    return caught.value


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ([[1, 2.5], [3, 4]], "float32", np.array([[1, 2.5], [3, 4]], "float32")),
        ([1, 2.0], "int32", np.array([1, 2], "int32")),
        ([2**53 + 1, 1.0], "int64", np.array([2**53 + 1, 1], "int64")),
        ([2**63], "uint64", np.array([2**63], "uint64")),
        ([True, False], "bool", np.array([True, False])),
        ([["a", "zwölf"]], "string", np.array([["a", "zwölf"]])),
        (7, "int64", np.array(7)),
        ([], "float32", np.zeros(0, "float32")),
        ([[], []], "string", np.zeros((2, 0), "U1")),
    ],
)
def test_json_lists_become_an_array_of_the_inputs_dtype(value: Any, dtype: str, expected: np.ndarray) -> None:
    array = array_from_json(value, TensorSpec(dtype, None), "inputs.x")
    assert array.dtype == expected.dtype
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize(
    ("value", "dtype", "got"),
    [
        ([[1, 2], [3]], "float32", "a ragged list"),
        ([[1, 2], 3], "float32", "a ragged list"),
        ([["a"], "b"], "string", "a ragged list"),
        ([1, [2]], "float32", "a list that is nested deeper than its neighbours at [1]"),
        ([[1, "2"]], "float32", "a string at [0][1]"),
        (["1"], "int32", "a string at [0]"),
        ("1", "int32", "a string"),
        ([1, True], "float32", "a boolean at [1]"),
        ([1, None], "float32", "null at [1]"),
        ([None], "string", "null at [0]"),
        ([[1], {"b64": "aaaa"}], "uint8", "an object at [1]"),
        ([1], "bool", "a number at [0]"),
        ([1], "string", "a number at [0]"),
        ([2.0, 1.5], "int32", "a fraction at [1]"),
        ([float("nan")], "int32", "a fraction at [0]"),
        ([300], "uint8", "a number out of range at [0]"),
        ([-1.0], "uint64", "a number out of range at [0]"),
        ([[2**63]], "int64", "a number out of range at [0][0]"),
        ([1e300], "int64", "a number out of range at [0]"),
        ([1e300], "float32", "a number out of range at [0]"),
        ([10**400], "float64", "a number out of range at [0]"),
        ([70_000], "float16", "a number out of range at [0]"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_json_that_is_not_of_the_inputs_dtype_is_refused_by_kind_and_place(value: Any, dtype: str, got: str) -> None:
    assert json_refusal(value, dtype).got == got


def test_a_refusal_says_what_the_dtype_holds_but_never_echoes_data() -> None:
    error = json_refusal(["secret" * 1000], "uint8")
    assert str(error) == "inputs.x: expected uint8 numbers from 0 to 255, got a string at [0]."


def test_lists_nested_deeper_than_an_array_can_be_are_refused() -> None:
    value: Any = 1
    for _ in range(500):
        value = [value]
    assert json_refusal(value, "float32").field == "inputs.x"


def test_one_long_string_among_many_is_refused_before_padding_fills_the_memory() -> None:
    assert "once padded" in json_refusal(["a" * 100_000, *["b"] * 10_000], "string").expected


def test_a_complex_input_asks_for_npy() -> None:
    assert "application/x-npy" in json_refusal([1], "complex64").expected


def test_a_dtype_that_numpy_lacks_is_refused_not_a_crash() -> None:
    assert "bfloat16" in json_refusal([1.0], "bfloat16").expected
