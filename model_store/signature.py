"""A model's named inputs and outputs, and whether given arrays fit them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from model_store.errors import InvalidInput

# numpy pads every string of an array to the longest: one long among many short could ask for terabytes.
MAX_STRING_ARRAY_BYTES = 268_435_456

_KIND_NAMES = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list that is nested deeper than its neighbours",
    str: "a string",
    type(None): "null",
}


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

    @property
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

    @property
    def fixed_rows(self) -> int | None:
        """The only number of rows this model takes; None when it takes any."""
        return next((_first_size(self.inputs[name]) for name in self.row_inputs), None)

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


def array_from_json(value: Any, spec: TensorSpec, field: str) -> np.ndarray:
    """Make an array of the spec's dtype from nested JSON lists; its shape is left to `check_inputs`.

    Args:
        value: A number, string or boolean, or lists of them, nested to any depth.
        spec: Says the dtype: bool, an integer, a float or "string". A fraction never becomes an integer.
        field: Where the value stood in the request, for the message.

    Raises:
        InvalidInput: A ragged list, a value of another kind (null included), or a number that the dtype
            cannot hold.
    """
    expected = _expected_values(spec.dtype, field)
    leaves, depth = _leaves(value)
    try:
        kinds = set(map(type, leaves))
        array = _build(value, kinds, spec.dtype) if kinds <= _leaf_kinds(spec.dtype) else None
    except (TypeError, ValueError, OverflowError):
        array = None
    if array is None or array.ndim != depth:
        raise InvalidInput(field, expected, _find_culprit(value, spec.dtype, depth))
    return _pad_strings(array, field) if spec.dtype == "string" else array


def _expected_values(dtype: str, field: str) -> str:
    if dtype in ("string", "bool"):
        return "strings" if dtype == "string" else "booleans"
    kind = np.dtype(dtype).kind
    if kind in "iu":
        return f"{dtype} numbers from {np.iinfo(dtype).min} to {np.iinfo(dtype).max}"
    if kind == "f":
        return f"{dtype} numbers"
    raise InvalidInput(field, f"a {dtype} array as application/x-npy or application/x-npz", "JSON")


def _leaf_kinds(dtype: str) -> set[type]:
    if dtype == "string":
        return {str}
    return {bool} if dtype == "bool" else {int, float}


def _leaves(value: Any) -> tuple[Iterable[Any], int]:
    """All values at the depth of the first one, without a loop in Python, and that depth."""
    first: Any = value
    leaves: Iterable[Any] = [value]
    depth = 0
    while isinstance(first, list):
        leaves = chain.from_iterable(leaves)
        depth += 1
        if not first:
            break
        first = first[0]
    return leaves, depth


def _build(value: Any, kinds: set[type], dtype: str) -> np.ndarray:
    """Raises ValueError for ragged lists and fractions, OverflowError for what the dtype cannot hold."""
    if dtype == "string":
        return np.array(value, dtype=object)
    if np.dtype(dtype).kind in "iu":
        return _build_integers(value, kinds, np.dtype(dtype))
    with np.errstate(over="ignore"):
        array = np.array(value, dtype=bool if dtype == "bool" else np.float64).astype(dtype)
    if np.isinf(array).any():
        raise OverflowError
    return array


def _build_integers(value: Any, kinds: set[type], dtype: np.dtype) -> np.ndarray:
    widest = np.uint64 if dtype == np.uint64 else np.int64
    if float not in kinds:
        exact = np.array(value, dtype=widest)
    else:
        rounded = np.array(value, dtype=np.float64)
        if not np.array_equal(rounded, np.trunc(rounded)):
            raise ValueError
        exact = np.array(value, dtype=object).astype(widest)
    if exact.size and (exact.min() < np.iinfo(dtype).min or exact.max() > np.iinfo(dtype).max):
        raise OverflowError
    return exact.astype(dtype)


def _pad_strings(array: np.ndarray, field: str) -> np.ndarray:
    longest = max(map(len, array.flat), default=0)
    if array.size * longest * 4 > MAX_STRING_ARRAY_BYTES:
        limit = f"strings that need at most {MAX_STRING_ARRAY_BYTES} bytes once padded to the longest of them"
        raise InvalidInput(field, limit, f"{array.size} strings of up to {longest} characters")
    return array.astype(str)


def _find_culprit(value: Any, dtype: str, depth: int) -> str:
    """Describe the first value that does not belong; where there is none, the lists differ in length."""
    kinds, (lowest, highest) = _leaf_kinds(dtype), _limits(dtype)
    no_fractions = isinstance(highest, int)
    for path, leaf in _walk(value, depth):
        if type(leaf) not in kinds:
            return _KIND_NAMES.get(type(leaf), "a value of an unknown kind") + path
        if lowest is not None and (leaf < lowest or leaf > highest):
            return f"a number out of range{path}"
        if no_fractions and leaf % 1:
            return f"a fraction{path}"
    return "a ragged list"


def _walk(value: Any, depth: int, path: str = " at ") -> Iterator[tuple[str, Any]]:
    if depth == 0 or not isinstance(value, list):
        yield path if path != " at " else "", value
        return
    for index, item in enumerate(value):
        yield from _walk(item, depth - 1, f"{path}[{index}]")


def _limits(dtype: str) -> tuple[Any, Any]:
    if dtype in ("string", "bool"):
        return None, None
    if np.dtype(dtype).kind in "iu":
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    return np.finfo(dtype).min.item(), np.finfo(dtype).max.item()
