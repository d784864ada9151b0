"""What a program has, as a job's inputs: arrays, pictures, files, bytes and plain Python values become a payload.

Arrays travel as `.npy` and `.npz`, never as JSON.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from client.errors import InputError, InputFileError
from client.input_file import content_type_of, picture_form, read_file
from client.npy import Array, encode_npy, encode_npz
from client.payload import NPY, NPZ, Payload, is_picture_type, of_bytes, sniff
from client.tensor_fit import TensorFit, as_array

#: What PNG can hold as it is (Pillow's names); a picture of another mode is turned into RGB.
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


def needs_signature(inputs: Any) -> bool:
    """Whether these inputs are plain Python values, whose dtype only the model's signature can tell."""
    if isinstance(inputs, Mapping):
        return not all(_is_array(value) for value in inputs.values())
    return not (_is_array(inputs) or _is_file(inputs) or _are_pictures(inputs))


def encode(inputs: Any, content_type: str | None = None, fits: Mapping[str, TensorFit] | None = None) -> Payload:
    """The payload of a job.

    Args:
        inputs: An array, or whatever numpy takes for one; a mapping of arrays by the inputs' names; bytes of a `.npy`,
            `.npz`, picture or JSON file; a path (`str` or `Path`) of one; a PIL picture; a list of pictures (paths,
            bytes or PIL), one a row; or plain values, texts and lists of them. Arrays have rows on axis 0.
        content_type: Says what bytes or a file are; None: their beginning or the suffix says it.
        fits: What the model's signature takes, by input; needed where `needs_signature` says so.

    Raises:
        InputError: It cannot be sent; the sentence says why.
    """
    if isinstance(inputs, Payload):
        return inputs
    if isinstance(inputs, Mapping):
        return _named(inputs, fits or {})
    if _is_file(inputs):
        return _file(inputs, content_type)
    if _are_pictures(inputs):
        return picture_form([_file(picture) for picture in inputs])
    return Payload(encode_npy(_array(inputs, _only(fits))), NPY)


def _named(inputs: Mapping[str, Any], fits: Mapping[str, TensorFit]) -> Payload:
    if not inputs:
        raise InputError("An empty mapping has no inputs; expected an array for each input, by name.")
    return Payload(encode_npz({str(name): _array(value, fits.get(name)) for name, value in inputs.items()}), NPZ)


def _array(value: Any, fit: TensorFit | None) -> Array:
    return np.asarray(value) if _is_array(value) else as_array(value, fit)


def _only(fits: Mapping[str, TensorFit] | None) -> TensorFit | None:
    if fits and len(fits) > 1:
        raise InputError(f"The model has the inputs {', '.join(fits)}; give a mapping with a value for each.")
    return next(iter(fits.values()), None) if fits else None


def _file(given: Any, content_type: str | None = None) -> Payload:
    if isinstance(given, str | Path):
        try:
            resolved = content_type or content_type_of(str(given))
            return of_bytes(read_file(Path(given)), resolved)
        except InputError as error:
            raise InputFileError(f"{given}: {error}") from None
    if is_picture(given):
        return Payload(_png(given), "image/png")
    return of_bytes(bytes(given), content_type)


def _png(picture: Any) -> bytes:
    if picture.mode in ("F", "I"):
        raise InputError(f"A picture of mode {picture.mode} has no defined range of grey; send it as an array.")
    buffer = io.BytesIO()
    try:
        plain = picture if picture.mode in _PNG_MODES else picture.convert("RGB")
        # The least effort: a network is faster than the best compression.
        plain.save(buffer, "PNG", compress_level=1)
    except (OSError, ValueError) as error:
        raise InputError(f"The picture cannot be written as PNG: {error}.") from error
    return buffer.getvalue()


def is_picture(value: Any) -> bool:
    """Whether it is one of Pillow's; known by its looks, so that Pillow need not be installed."""
    return all(hasattr(value, name) for name in ("mode", "size", "save", "convert"))


def _is_file(value: Any) -> bool:
    return isinstance(value, Payload | str | Path | bytes | bytearray | memoryview) or is_picture(value)


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and not is_picture(value)


def _are_pictures(value: Any) -> bool:
    return isinstance(value, Sequence) and bool(value) and all(is_picture_file(item) for item in value)


def is_picture_file(item: Any) -> bool:
    """Whether it is one picture: a path, Pillow's, or bytes that begin like one."""
    if isinstance(item, bytes | bytearray):
        return is_picture_type(sniff(bytes(item[:64])))
    return isinstance(item, Path) or is_picture(item)
