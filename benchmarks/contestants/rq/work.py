"""RQ's function, in a module that the worker imports before it takes jobs, as RQ's "Performance notes" advise."""

from __future__ import annotations

import functools
from collections.abc import Callable


@functools.cache
def model() -> Callable[[bytes], list[float]]:
    """The model, loaded once a process. Producers that import this module need no TensorFlow."""
    from benchmarks.bare_model import load_one_row

    return load_one_row()


def predict(npy: bytes) -> list[float]:
    """One row, one call of the model."""
    return model()(npy)
