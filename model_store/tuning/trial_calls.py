"""Calls of a model for trials, with any number of rows that some memory suffices for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from model_store.errors import OutOfMemory, PredictError
from model_store.trial_inputs import repeated_rows
from model_store.tuning.trial import Call, Prepare

Arrays = Mapping[str, np.ndarray]
Run = Callable[[Arrays], dict[str, np.ndarray]]

# The trials of a batch shall not be what ends a process.
MAX_TRIAL_BYTES = 268_435_456


def accepted(run: Run, source: Arrays, otherwise: Arrays) -> Arrays:
    """The first inputs where the model takes them, else the others."""
    try:
        run(source)
    except PredictError:
        return otherwise
    return source


def trial_calls(run: Run, source: Arrays, row_inputs: frozenset[str]) -> Prepare:
    """Calls with rows of `source`, over and over; making one raises OutOfMemory where it would be too large."""
    source_rows = next((len(source[name]) for name in row_inputs), 1)
    row_bytes = sum(array.nbytes for array in source.values()) // source_rows

    def prepare(rows: int) -> Call:
        if rows * row_bytes > MAX_TRIAL_BYTES:
            raise OutOfMemory(f"Trials have at most {MAX_TRIAL_BYTES} bytes of inputs.")
        inputs = repeated_rows(source, row_inputs, rows)
        return lambda: run(inputs)

    return prepare
