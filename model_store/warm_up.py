"""What to try a fresh model with, and what the trial shows about its outputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model_store.signature import Signature, TensorSpec
from model_store.spec import ImageSpec

# Sizes to try for open dimensions such as height and width: small first, then ImageNet's for models that shrink a
# picture below nothing.
OPEN_SIZES = (64, 224)

Arrays = Mapping[str, np.ndarray]


def trial_inputs(signature: Signature, image: ImageSpec | None, open_size: int) -> Arrays:
    """Zeros or empty strings that fit the signature, one row of them.

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


def row_outputs(one_row: Arrays, two_rows: Arrays) -> frozenset[str]:
    """Names of the outputs whose axis 0 followed the number of rows: one for one row, two for two."""
    return frozenset(name for name in one_row if one_row[name].shape[:1] == (1,) and two_rows[name].shape[:1] == (2,))


def with_fixed_rows(inputs: Mapping[str, TensorSpec], rows: int, names: frozenset[str]) -> dict[str, TensorSpec]:
    """The inputs, those named with axis 0 fixed."""
    return {
        name: TensorSpec(spec.dtype, (rows, *spec.shape[1:])) if name in names and spec.shape else spec
        for name, spec in inputs.items()
    }
