"""A model's named inputs and outputs, and whether given arrays fit them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from model_store.errors import InvalidInput


@dataclass(frozen=True)
class TensorSpec:
    """One tensor's dtype and shape.

    Attributes:
        dtype: numpy's name of it ("float32", "uint8", "bool", …) or "string".
        shape: Sizes, None where any size fits; None as a whole where even the rank is unknown.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    @classmethod
    def of(cls, array: np.ndarray) -> TensorSpec:
        """The spec of an array: its shape and numpy's dtype name, "string" for text, bytes and objects."""
        dtype = "string" if array.dtype.kind in "USO" else array.dtype.name
        return cls(dtype, tuple(array.shape))

    @property
    def rank(self) -> int | None:
        """The number of dimensions; None when it is unknown."""
        return None if self.shape is None else len(self.shape)

    def to_json(self) -> dict[str, Any]:
        """The spec as `{"dtype": str, "shape": [int or null, …] or null}`."""
        return {"dtype": self.dtype, "shape": None if self.shape is None else list(self.shape)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TensorSpec:
        """The reverse of `to_json`."""
        shape = value["shape"]
        return cls(value["dtype"], None if shape is None else tuple(shape))


@dataclass(frozen=True)
class Signature:
    """A model's inputs and outputs by name, in the order of the file."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    @cached_property
    def row_inputs(self) -> frozenset[str]:
        """Names of the inputs whose axis 0 counts rows.

        These are the inputs whose first size is open. Where none is open (a graph frozen with a fixed
        batch) they are all inputs with dimensions, provided their first sizes agree. The others, such as a
        scalar threshold, are shared by all rows: jobs that bring one cannot be batched together.
        """
        first_sizes = {name: _first_size(spec) for name, spec in self.inputs.items() if spec.rank != 0}
        open_inputs = {name for name, size in first_sizes.items() if size is None}
        if open_inputs:
            return frozenset(open_inputs)
        return frozenset(first_sizes) if len(set(first_sizes.values())) == 1 else frozenset()

    @cached_property
    def fixed_rows(self) -> int | None:
        """The only number of rows that may be given; None when any may."""
        return next((_first_size(self.inputs[name]) for name in self.row_inputs), None)

    @cached_property
    def for_any_rows(self) -> Signature:
        """The same for any number of rows, whatever number the model takes at once."""
        inputs = {
            name: replace(spec, shape=(None, *spec.shape[1:])) if name in self.row_inputs and spec.shape else spec
            for name, spec in self.inputs.items()
        }
        return replace(self, inputs=inputs)

    def to_json(self) -> dict[str, Any]:
        """The signature as JSON values; unknown sizes are null."""
        return {
            "inputs": {name: spec.to_json() for name, spec in self.inputs.items()},
            "outputs": {name: spec.to_json() for name, spec in self.outputs.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Signature:
        """The reverse of `to_json`."""
        return cls(
            inputs={name: TensorSpec.from_json(spec) for name, spec in value["inputs"].items()},
            outputs={name: TensorSpec.from_json(spec) for name, spec in value["outputs"].items()},
        )


def _first_size(spec: TensorSpec) -> int | None:
    return spec.shape[0] if spec.shape else None


def check_inputs(signature: Signature, headers: Mapping[str, TensorSpec]) -> int:
    """Check given arrays against the signature and count their rows.

    Args:
        signature: What the model takes.
        headers: Dtype and full shape of each given array, by input name.

    Returns:
        The number of rows: the size of axis 0, equal over all inputs that have rows; 1 when none has.

    Raises:
        InvalidInput: An input is missing, unknown, or of another dtype, rank, shape or number of rows.
    """
    _check_names(signature, headers)
    row_inputs = signature.row_inputs
    for name, spec in signature.inputs.items():
        _check_dtype(f"inputs.{name}", spec.dtype, headers[name].dtype)
        _check_shape(f"inputs.{name}", spec, headers[name], has_rows=name in row_inputs)
    return _count_rows({name: headers[name] for name in signature.inputs if name in row_inputs})


def _check_names(signature: Signature, headers: Mapping[str, TensorSpec]) -> None:
    known = ", ".join(signature.inputs)
    for name in headers:
        if name not in signature.inputs:
            raise InvalidInput("inputs", f"only the names {known}", f"an unknown name {name[:80]!r}")
    for name in signature.inputs:
        if name not in headers:
            raise InvalidInput("inputs", f"the names {known}", f"nothing for {name!r}")


def _check_dtype(field: str, expected: str, got: str) -> None:
    if got == expected:
        return
    if "string" in (expected, got) or not _casts_safely(got, expected):
        hint = "" if "string" in (expected, got) else f'; convert it with .astype("{expected}")'
        raise InvalidInput(field, f"dtype {expected}", f"dtype {got}{hint}")


def _casts_safely(got: str, expected: str) -> bool:
    try:
        return np.can_cast(got, expected, "safe")
    except TypeError:
        return False


def _check_shape(field: str, spec: TensorSpec, header: TensorSpec, has_rows: bool) -> None:
    if spec.shape is None or header.shape is None:
        return
    fits = len(spec.shape) == len(header.shape) and all(
        wanted in (None, size) for wanted, size in zip(spec.shape, header.shape, strict=True)
    )
    if not fits:
        expected = f"shape {shape_text(spec.shape, has_rows)}"
        raise InvalidInput(field, expected, f"shape {shape_text(header.shape)}")


def shape_text(shape: tuple[int | None, ...], has_rows: bool = False) -> str:
    """A shape for people: `(rows, 64, any, 3)`."""
    sizes = ["any" if size is None else str(size) for size in shape]
    if has_rows and shape and shape[0] is None:
        sizes[0] = "rows"
    return f"({', '.join(sizes)})"


def _count_rows(row_headers: Mapping[str, TensorSpec]) -> int:
    counts = {name: size for name, header in row_headers.items() if (size := _first_size(header)) is not None}
    for name, count in counts.items():
        if not count:
            raise InvalidInput(f"inputs.{name}", "at least 1 row", "0 rows")
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{count} in {name}" for name, count in counts.items())
        raise InvalidInput("inputs", "the same number of rows in each input", listed)
    return next(iter(counts.values()), 1)
