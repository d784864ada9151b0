from __future__ import annotations

from pathlib import Path

import pytest

from model_store.errors import SpecError
from model_store.pictures.image_input import find_image_spec
from model_store.signature import Signature, TensorSpec
from model_store.spec import ImageSpec, ModelSpec


def takes(**inputs: TensorSpec) -> Signature:
    return Signature(inputs, {"y": TensorSpec("float32", (None, 2))})


def spec(**image: object) -> ModelSpec:
    return ModelSpec(image=ImageSpec(**image), file=Path("m/model.toml"))


def refusal(signature: Signature, **image: object) -> str:
    with pytest.raises(SpecError) as caught:
        find_image_spec(signature, spec(**image))
    return str(caught.value)


RGB_BYTES = takes(image=TensorSpec("uint8", (None, None, None, 3)))
GREY_FLOATS = takes(face=TensorSpec("float32", (None, 64, 64, 1)))
TWO = takes(image=TensorSpec("uint8", (None, None, None, 3)), size=TensorSpec("float32", (None, 2)))


@pytest.mark.parametrize("channels", [1, 3])
def test_an_only_input_of_bytes_with_channels_takes_pictures_unasked(channels: int) -> None:
    found = find_image_spec(takes(x=TensorSpec("uint8", (None, None, None, channels))), ModelSpec())
    assert found == ImageSpec(input="x")


@pytest.mark.parametrize(
    "signature",
    [GREY_FLOATS, TWO, takes(x=TensorSpec("uint8", (None, 3))), takes(x=TensorSpec("uint8", (None, 8, 8, 5)))],
)
def test_other_inputs_take_no_pictures_unasked(signature: Signature) -> None:
    assert find_image_spec(signature, ModelSpec()) is None


def test_an_image_table_makes_the_only_input_take_pictures() -> None:
    found = find_image_spec(GREY_FLOATS, spec(mode="grey", scale=(-1.0, 1.0)))
    assert found == ImageSpec(mode="grey", scale=(-1.0, 1.0), input="face")


def test_several_inputs_need_the_name_of_one() -> None:
    assert find_image_spec(TWO, spec(input="image")) == ImageSpec(input="image")
    assert "image.input must name the input that takes the picture: one of image, size." in refusal(TWO)
    assert "one of image, size." in refusal(TWO, input="picture")


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (TensorSpec("string", (None, 2)), "takes string values"),
        (TensorSpec("bool", (None, 8, 8, 3)), "takes bool values"),
        (TensorSpec("float32", (None, 7)), "has the shape (rows, 7)"),
        (TensorSpec("float32", (None, 3, 64, 64)), "has the shape (rows, 3, 64, 64)"),
    ],
)
def test_an_input_that_cannot_take_a_picture_is_refused(tensor: TensorSpec, reason: str) -> None:
    assert reason in refusal(takes(x=tensor))


@pytest.mark.parametrize(("signature", "mode"), [(RGB_BYTES, "grey"), (GREY_FLOATS, "rgb")])
def test_a_mode_that_contradicts_the_channels_is_refused(signature: Signature, mode: str) -> None:
    assert f"image.mode is {mode}" in refusal(signature, mode=mode)


def test_a_size_that_contradicts_the_input_is_refused() -> None:
    assert "image.resize is [32, 64]" in refusal(GREY_FLOATS, resize=(32, 64))
    assert find_image_spec(GREY_FLOATS, spec(resize=(64, 64))) is not None


@pytest.mark.parametrize("scale", [(0.0, 0.5), (-1.0, 1.0), (0.0, 256.0)])
def test_a_scale_that_the_inputs_integers_cannot_hold_is_refused(scale: tuple[float, float]) -> None:
    assert "takes whole numbers from 0 to 255" in refusal(RGB_BYTES, scale=scale)


FILES = takes(encoded_image_string_tensor=TensorSpec("string", (None,)))


def test_a_detector_of_strings_takes_picture_files_unasked_and_no_other_model_does() -> None:
    detector = ModelSpec(kind="detector")
    assert find_image_spec(FILES, detector) == ImageSpec(input="encoded_image_string_tensor")
    assert find_image_spec(FILES, ModelSpec(kind="tensors")) is None
    assert find_image_spec(takes(x=TensorSpec("string", (None, 2))), detector) is None


@pytest.mark.parametrize("shape", [None, (None, None, None, None), (1, None, None, None)])
def test_a_detector_of_bytes_takes_pictures_though_its_graph_has_lost_the_shape(
    shape: tuple[int | None, ...] | None,
) -> None:
    signature = takes(image_tensor=TensorSpec("uint8", shape))
    assert find_image_spec(signature, ModelSpec(kind="detector")) == ImageSpec(input="image_tensor")
    assert find_image_spec(signature, ModelSpec(kind="tensors")) is None
    assert find_image_spec(takes(x=TensorSpec("uint8", (None, None))), ModelSpec(kind="detector")) is None


def test_an_image_table_makes_a_string_input_take_picture_files() -> None:
    assert find_image_spec(FILES, spec(crop="square")) == ImageSpec(crop="square", input="encoded_image_string_tensor")
    assert "image.scale must be left out" in refusal(FILES, scale=(0.0, 1.0))
