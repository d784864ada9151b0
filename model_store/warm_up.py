"""What to try a fresh model with, and what the trial shows about its outputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model_store.encoded_pictures import encode, takes_files
from model_store.signature import Signature, TensorSpec
from model_store.spec import ImageSpec

# Sizes to try for open dimensions such as height and width: small first, then ImageNet's for models that shrink a
# picture below nothing.
OPEN_SIZES = (64, 224)
TRIAL_TEXTS = ("", "a", "Some words in a row, with 2 numbers (1.5).")

Arrays = Mapping[str, np.ndarray]


def trial_inputs(signature: Signature, image: ImageSpec | None, open_size: int) -> Arrays:
    """Zeros, empty strings or a black picture's file that fit the signature, one row of them.

    Args:
        signature: What the model takes.
        image: How pictures become its input; they are of the size that it says.
        open_size: The size of every other open dimension.
    """
    return {
        name: _zeros(spec, image if image and image.input == name else None, open_size)
        for name, spec in signature.inputs.items()
    }


def _zeros(spec: TensorSpec, image: ImageSpec | None, open_size: int) -> np.ndarray:
    if image and takes_files(spec):
        return encode(b"", np.zeros((open_size, open_size, 3), np.uint8), image, spec)
    unknown = (None, None, None, 3) if image else (None, None)
    shape = [open_size if size is None else size for size in (unknown if spec.shape is None else spec.shape)]
    if spec.shape is None or spec.shape[:1] == (None,):
        shape[0] = 1
    if image and image.resize:
        shape[1:3] = image.resize
    return np.zeros(shape, dtype="U1" if spec.dtype == "string" else spec.dtype)


def observed_outputs(declared: Mapping[str, TensorSpec], outputs: Arrays) -> dict[str, TensorSpec]:
    """The declared outputs, with the rank filled in where the file leaves it unknown."""
    return {
        name: spec if spec.shape is not None else TensorSpec(spec.dtype, (None,) * outputs[name].ndim)
        for name, spec in declared.items()
    }


def varied_rows(inputs: Arrays, row_inputs: frozenset[str], rows: int) -> Arrays:
    """Inputs like the given ones, with so many rows of random values that a model of any kind should take.

    Whole numbers are 0 and 1, as they may be indices, but for uint8, which are pixels more often than not. Picture
    files do not vary.
    """
    random = np.random.default_rng(0)
    return {name: _varied(random, array, rows) if name in row_inputs else array for name, array in inputs.items()}


def _varied(random: np.random.Generator, array: np.ndarray, rows: int) -> np.ndarray:
    if array.dtype.kind == "O":
        return array[np.arange(rows) % len(array)]
    return _random(random, array.dtype, (rows, *array.shape[1:]))


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
