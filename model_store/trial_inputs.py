"""What to try a fresh model with, and what the trial shows about its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from model_store.pictures.encoded import encode, takes_files
from model_store.signature import Signature, TensorSpec
from model_store.spec import ImageSpec

# Sizes to try for open dimensions such as height and width: small first, then ImageNet's for models that shrink a
# picture below nothing.
OPEN_SIZES = (64, 224)
TRIAL_TEXTS = ("", "a", "Some words in a row, with 2 numbers (1.5).")

Arrays = Mapping[str, np.ndarray]


def trials(signature: Signature, image: ImageSpec | None, strings: Sequence[bytes]) -> Iterator[Arrays]:
    """What to try a model with, one after the other until it runs: one row of zeros or of empty strings each.

    Inputs of strings are also tried with other strings than empty ones, such as a number and a picture.

    Args:
        signature: What the model takes.
        image: How pictures become its input; they are of the size that it says.
        strings: What its own strings may be.
    """
    has_strings = any(spec.dtype == "string" for spec in signature.inputs.values())
    for string in (b"", *strings, b"0", _picture()) if has_strings else (b"",):
        for open_size in OPEN_SIZES:
            yield trial_inputs(signature, image, open_size, string)


def trial_inputs(signature: Signature, image: ImageSpec | None, open_size: int, string: bytes = b"") -> Arrays:
    """One of these: each other open dimension of this size, each string this one."""
    return {
        name: _zeros(spec, image if image and image.input == name else None, open_size, string)
        for name, spec in signature.inputs.items()
    }


def _picture() -> bytes:
    file = BytesIO()
    Image.new("RGB", (OPEN_SIZES[0], OPEN_SIZES[0])).save(file, "PNG")
    return file.getvalue()


def _zeros(spec: TensorSpec, image: ImageSpec | None, open_size: int, string: bytes) -> np.ndarray:
    if image and takes_files(spec):
        return encode(b"", np.zeros((open_size, open_size, 3), np.uint8), image, spec)
    unknown = (None, None, None, 3) if image else (None, None)
    shape = [open_size if size is None else size for size in (unknown if spec.shape is None else spec.shape)]
    if spec.shape is None or spec.shape[:1] == (None,):
        shape[0] = 1
    if image and image.resize:
        shape[1:3] = image.resize
    if spec.dtype == "string" and string:
        strings = np.empty(shape, dtype=object)
        # `np.full` would make numpy's own string of it, without zero bytes at its end.
        strings.fill(string)
        return strings
    return np.zeros(shape, dtype="U1" if spec.dtype == "string" else spec.dtype)


def observed_outputs(declared: Mapping[str, TensorSpec], outputs: Arrays) -> dict[str, TensorSpec]:
    """The declared outputs, with the rank filled in where the file leaves it unknown."""
    return {
        name: spec if spec.shape is not None else TensorSpec(spec.dtype, (None,) * outputs[name].ndim)
        for name, spec in declared.items()
    }


def varied_rows(inputs: Arrays, row_inputs: frozenset[str], rows: int) -> Arrays:
    """Inputs like the given ones, with so many rows of random values that a model of any kind should take.

    Whole numbers are 0 and 1, as they may be indices, but for uint8, which are pixels more often than not. Strings that
    are no text are repeated, since others may be none that the model takes.
    """
    random = np.random.default_rng(0)
    repeated = repeated_rows(inputs, row_inputs, rows)
    return {
        name: _random(random, array.dtype, array.shape) if name in row_inputs and array.dtype != object else array
        for name, array in repeated.items()
    }


def _random(random: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    if dtype.kind in "fc":
        return random.random(shape, np.float32).astype(dtype, copy=False)
    if dtype.kind == "U":
        return random.choice(TRIAL_TEXTS, shape)
    highest = 255 if dtype == np.uint8 else 1
    return random.integers(0, highest, shape, np.uint8, endpoint=True).astype(dtype, copy=False)


def one_row(inputs: Arrays, row_inputs: frozenset[str], row: int) -> Arrays:
    """The inputs with one of their rows only."""
    return {name: array[row : row + 1] if name in row_inputs else array for name, array in inputs.items()}


def repeated_rows(inputs: Arrays, row_inputs: frozenset[str], rows: int) -> Arrays:
    """So many rows: those of the inputs over and over."""
    return {
        name: array[np.arange(rows) % len(array)] if name in row_inputs else array for name, array in inputs.items()
    }
