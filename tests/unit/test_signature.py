from __future__ import annotations

import numpy as np
import pytest

from model_store.errors import InvalidInput
from model_store.signature import Signature, TensorSpec, check_inputs

SCORES = {"scores": TensorSpec("float32", (None, 7))}
FACES = Signature({"face": TensorSpec("float32", (None, 64, 64, 1))}, SCORES)
TEXTS = Signature({"text": TensorSpec("string", (None,))}, SCORES)
PAIRS = Signature({"a": TensorSpec("float32", (None, 2)), "b": TensorSpec("int32", (None,))}, SCORES)
ONE_AT_A_TIME = Signature({"image": TensorSpec("uint8", (1, 224, 224, 3))}, SCORES)
WITH_THRESHOLD = Signature({"x": TensorSpec("float32", (None, 2)), "cut": TensorSpec("float32", ())}, SCORES)
ANYTHING = Signature({"x": TensorSpec("float32", None)}, SCORES)


def float32(*shape: int) -> TensorSpec:
    return TensorSpec("float32", shape)


def refusal(signature: Signature, **headers: TensorSpec) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        check_inputs(signature, headers)
    return caught.value


def test_a_signature_survives_json_with_unknown_sizes_as_null() -> None:
    signature = Signature({"x": TensorSpec("string", (None, 3)), "y": TensorSpec("bool", None)}, SCORES)
    assert signature.to_json()["inputs"] == {
        "x": {"dtype": "string", "shape": [None, 3]},
        "y": {"dtype": "bool", "shape": None},
    }
    assert Signature.from_json(signature.to_json()) == signature


@pytest.mark.parametrize(
    ("array", "spec"),
    [
        (np.zeros((2, 3), ">f4"), TensorSpec("float32", (2, 3))),
        (np.array(["a", "bc"]), TensorSpec("string", (2,))),
        (np.array([b"a"]), TensorSpec("string", (1,))),
        (np.array(["a"], dtype=object), TensorSpec("string", (1,))),
        (np.array(True), TensorSpec("bool", ())),
    ],
)
def test_an_array_has_the_spec_of_its_dtype_and_shape(array: np.ndarray, spec: TensorSpec) -> None:
    assert TensorSpec.of(array) == spec


def test_rows_are_counted_on_axis_0() -> None:
    assert check_inputs(FACES, {"face": float32(5, 64, 64, 1)}) == 5
    assert check_inputs(PAIRS, {"a": float32(3, 2), "b": TensorSpec("int32", (3,))}) == 3


def test_a_scalar_input_has_no_rows_and_does_not_disturb_those_of_others() -> None:
    assert check_inputs(WITH_THRESHOLD, {"x": float32(4, 2), "cut": float32()}) == 4
    assert WITH_THRESHOLD.row_inputs == {"x"}


def test_a_model_with_scalars_alone_has_one_row() -> None:
    scalars = Signature({"cut": TensorSpec("float32", ())}, SCORES)
    assert check_inputs(scalars, {"cut": float32()}) == 1


def test_an_input_of_unknown_rank_takes_any_shape() -> None:
    assert check_inputs(ANYTHING, {"x": float32(4, 2, 9)}) == 4


def test_a_fixed_number_of_rows_must_be_met() -> None:
    assert ONE_AT_A_TIME.fixed_rows == 1
    assert check_inputs(ONE_AT_A_TIME, {"image": TensorSpec("uint8", (1, 224, 224, 3))}) == 1
    error = refusal(ONE_AT_A_TIME, image=TensorSpec("uint8", (2, 224, 224, 3)))
    assert str(error) == "inputs.image: expected shape (1, 224, 224, 3), got shape (2, 224, 224, 3)."


def test_fixed_first_sizes_that_differ_are_not_rows() -> None:
    signature = Signature({"x": TensorSpec("float32", (1, 4)), "weights": TensorSpec("float32", (4,))}, SCORES)
    assert signature.row_inputs == frozenset()
    assert check_inputs(signature, {"x": float32(1, 4), "weights": float32(4)}) == 1


def test_a_missing_input_is_named_with_all_that_are_needed() -> None:
    error = refusal(PAIRS, a=float32(1, 2))
    assert (error.field, error.expected, error.got) == ("inputs", "the names a, b", "nothing for 'b'")


def test_an_unknown_input_is_named_with_those_that_are_known() -> None:
    error = refusal(FACES, face=float32(1, 64, 64, 1), fase=float32(1))
    assert (error.field, error.expected, error.got) == ("inputs", "only the names face", "an unknown name 'fase'")


@pytest.mark.parametrize("dtype", ["float16", "uint8", "int16", "bool"])
def test_a_dtype_that_always_fits_is_taken(dtype: str) -> None:
    assert check_inputs(FACES, {"face": TensorSpec(dtype, (1, 64, 64, 1))}) == 1


@pytest.mark.parametrize("dtype", ["float64", "int64", "complex64", "datetime64[s]", "void32"])
def test_a_dtype_that_could_lose_values_is_refused_with_the_remedy(dtype: str) -> None:
    error = refusal(FACES, face=TensorSpec(dtype, (1, 64, 64, 1)))
    assert error.field == "inputs.face"
    assert error.expected == "dtype float32"
    assert error.got == f'dtype {dtype}; convert it with .astype("float32")'


def test_strings_and_numbers_never_stand_for_each_other() -> None:
    assert refusal(TEXTS, text=TensorSpec("int32", (1,))).expected == "dtype string"
    assert refusal(FACES, face=TensorSpec("string", (1, 64, 64, 1))).got == "dtype string"


def test_a_wrong_shape_is_told_with_the_rows_left_open() -> None:
    error = refusal(FACES, face=float32(2, 64, 64, 3))
    assert str(error) == "inputs.face: expected shape (rows, 64, 64, 1), got shape (2, 64, 64, 3)."


def test_a_missing_row_axis_is_a_wrong_shape() -> None:
    assert refusal(FACES, face=float32(64, 64, 1)).got == "shape (64, 64, 1)"


def test_no_rows_are_refused() -> None:
    assert str(refusal(FACES, face=float32(0, 64, 64, 1))) == "inputs.face: expected at least 1 row, got 0 rows."


def test_inputs_with_differing_rows_are_refused_with_each_count() -> None:
    error = refusal(PAIRS, a=float32(3, 2), b=TensorSpec("int32", (4,)))
    assert (error.field, error.got) == ("inputs", "3 in a, 4 in b")
