"""Whether two ways of running a model give the same answers. Arrays only, no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Arrays = Mapping[str, np.ndarray]

# How far an element may be off, by its output's dtype, measured against its size and its output's mean size: a
# hundred to a thousand times what rounding once costs, as errors of many additions in another order add up. All
# others, whole numbers and strings, must be equal.
TOLERANCES = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-9, "complex64": 1e-4, "complex128": 1e-9}


@dataclass(frozen=True)
class Comparison:
    """What became of comparing.

    Attributes:
        difference: The largest one of all floats, as `TOLERANCES` measures it; 0 where all are equal.
        fault: What is wrong, in words that follow the model's name; None where the answers are the same.
    """

    difference: float = 0.0
    fault: str | None = None


def compare(expected: Arrays, got: Arrays) -> Comparison:
    """Compare outputs with those of the plain graph, by name."""
    largest = 0.0
    for name, wanted in expected.items():
        found = got[name]
        if found.shape != wanted.shape or found.dtype.kind != wanted.dtype.kind:
            return Comparison(
                largest, f"gives {name} as {found.dtype} {found.shape}, not as {wanted.dtype} {wanted.shape}"
            )
        tolerance = TOLERANCES.get(wanted.dtype.name)
        if tolerance is None:
            if not np.array_equal(wanted, found):
                return Comparison(largest, f"gives other values of {name}, which are {wanted.dtype.name} or text")
            continue
        difference = largest_difference(wanted, found)
        largest = max(largest, difference)
        if not difference <= tolerance:
            return Comparison(largest, f"gives {name} with a difference of {difference:.1g}, above {tolerance:g}")
    return Comparison(largest)


def largest_difference(expected: np.ndarray, got: np.ndarray) -> float:
    """The largest of |got - expected| / (|expected| + mean |expected|); infinite where only one is a finite number.

    The mean keeps elements that are all but zero, as most of a softmax's are, from deciding.
    """
    if np.array_equal(expected, got, equal_nan=True):
        return 0.0
    is_finite = np.isfinite(expected)
    are_alike = np.array_equal(expected[~is_finite], got[~is_finite], equal_nan=True)
    if not are_alike or not np.isfinite(got[is_finite]).all():
        return float("inf")
    wide = np.result_type(expected.dtype, np.float64)
    wanted, found = expected[is_finite].astype(wide), got[is_finite].astype(wide)
    size = np.abs(wanted)
    scale = size + size.mean()
    # All of them zero: any other value is infinitely far off.
    ratios = np.divide(np.abs(found - wanted), scale, out=np.full(scale.shape, np.inf), where=scale > 0)
    return float(ratios.max())
