"""Whether a model takes pictures, and how: what model.toml says, or else what its inputs suggest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model_store.errors import SpecError
from model_store.pictures.encoded import takes_files
from model_store.signature import Signature, TensorSpec, shape_text
from model_store.spec import ImageSpec, ModelSpec

# The last size of an input that takes a picture: grey or RGB.
CHANNELS = (1, 3)


def find_image_spec(signature: Signature, spec: ModelSpec) -> ImageSpec | None:
    """How pictures become the model's input, with `input` named; None when it takes none.

    Without an `[image]` table, a model takes pictures when its only input is uint8 of shape (rows, height, width, 1
    or 3). A detector's may also be uint8 of an unknown shape, or string: then it takes picture files.

    Raises:
        SpecError: The table does not fit the model.
    """
    if spec.image is None:
        name = _only_input(signature)
        return ImageSpec(input=name) if name and _is_picture(signature.inputs[name], spec) else None
    name = spec.image.input or _only_input(signature)
    if name is None or name not in signature.inputs:
        names = ", ".join(signature.inputs)
        raise SpecError(f"{spec.file}: image.input must name the input that takes the picture: one of {names}.")
    _check_picture_input(name, signature.inputs[name], spec)
    return replace(spec.image, input=name)


def _only_input(signature: Signature) -> str | None:
    return next(iter(signature.inputs)) if len(signature.inputs) == 1 else None


def _is_picture(tensor: TensorSpec, spec: ModelSpec) -> bool:
    is_detector = spec.kind == "detector"
    if tensor.dtype != "uint8":
        return is_detector and takes_files(tensor)
    # What a graph keeps of its shapes depends on who froze it.
    if tensor.shape is None:
        return is_detector
    return len(tensor.shape) == 4 and (tensor.shape[-1] in CHANNELS or (is_detector and tensor.shape[-1] is None))


def _check_picture_input(name: str, tensor: TensorSpec, spec: ModelSpec) -> None:
    if takes_files(tensor):
        _check_files(name, spec)
        return
    if tensor.dtype in ("string", "bool"):
        raise SpecError(f"{spec.file}: image.input {name} takes {tensor.dtype} values, and pictures are numbers.")
    shape = tensor.shape
    fits = shape is None or len(shape) == 3 or (len(shape) == 4 and shape[-1] in (*CHANNELS, None))
    if not fits:
        raise SpecError(
            f"{spec.file}: image.input {name} has the shape {shape_text(shape or (), has_rows=True)}, and pictures "
            "need (rows, height, width, 1 or 3) or (rows, height, width)."
        )
    image = spec.image or ImageSpec()
    _check_mode(name, shape, image, spec)
    _check_size(name, shape, image, spec)
    _check_scale(name, tensor, image, spec)


def _check_files(name: str, spec: ModelSpec) -> None:
    if spec.image is not None and spec.image.scale is not None:
        raise SpecError(
            f"{spec.file}: image.scale must be left out: the input {name} takes picture files, not numbers."
        )


def _check_mode(name: str, shape: tuple[int | None, ...] | None, image: ImageSpec, spec: ModelSpec) -> None:
    channels = None if shape is None else shape[-1] if len(shape) == 4 else 1
    wanted = {"grey": 1, "rgb": 3, None: channels}[image.mode]
    if channels is not None and wanted != channels:
        raise SpecError(f"{spec.file}: image.mode is {image.mode}, but the input {name} has {channels} channels.")


def _check_size(name: str, shape: tuple[int | None, ...] | None, image: ImageSpec, spec: ModelSpec) -> None:
    if shape is None or image.resize is None:
        return
    if any(size not in (None, wanted) for size, wanted in zip(shape[1:3], image.resize, strict=True)):
        raise SpecError(
            f"{spec.file}: image.resize is {list(image.resize)}, but the input {name} has the shape "
            f"{shape_text(shape, has_rows=True)}."
        )


def _check_scale(name: str, tensor: TensorSpec, image: ImageSpec, spec: ModelSpec) -> None:
    if image.scale is None or np.dtype(tensor.dtype).kind not in "iu":
        return
    limits = np.iinfo(tensor.dtype)
    if min(image.scale) < limits.min or max(image.scale) > limits.max or not all(map(float.is_integer, image.scale)):
        raise SpecError(
            f"{spec.file}: image.scale is {list(image.scale)}, but the input {name} takes whole numbers from "
            f"{limits.min} to {limits.max}."
        )
