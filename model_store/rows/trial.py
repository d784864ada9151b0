"""What trials show about a model's rows: how many it takes, and whether its outputs follow them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model_store.errors import PredictError
from model_store.signature import Signature, TensorSpec
from model_store.trial_inputs import one_row, repeated_rows, varied_rows

Arrays = Mapping[str, np.ndarray]
Run = Callable[[Arrays], Arrays]

# Enough to tell rows apart that were mixed up.
TRIAL_ROWS = 3
APART = 10
# Values up to 1 first, then as large as pixels, where a model gives almost the same for all small ones.
SCALES = (1.0, 255.0)


@dataclass(frozen=True)
class FoundRows:
    """What was found out.

    Attributes:
        signature: What may be given to the model; its rows are open also where each call needs a fixed number of
            them, provided that they can be divided into calls.
        outputs: Names of the outputs with one entry a row on axis 0.
        in_a_call: How many rows each call needs, where `signature` takes any number; None where calls do too.
    """

    signature: Signature
    outputs: frozenset[str] = frozenset()
    in_a_call: int | None = None


def find_rows(run: Run, signature: Signature, inputs: Arrays, outputs: Arrays) -> FoundRows:
    """Try what a model does with rows.

    Args:
        run: Calls the model's program.
        signature: What its file declares.
        inputs: What it was tried with: one row, unless the signature fixes another number.
        outputs: What it gave for that.
    """
    names = signature.row_inputs
    if not names:
        return FoundRows(signature)
    if signature.fixed_rows is None:
        try:
            return FoundRows(signature, row_outputs(outputs, run(repeated_rows(inputs, names, 2))))
        except PredictError:
            signature = replace(signature, inputs=_with_rows(signature.inputs, 1, names))
    fixed_rows = signature.fixed_rows or 1
    if not _can_be_divided(run, names, fixed_rows, inputs, outputs):
        return FoundRows(signature)
    output_names = frozenset(signature.outputs)
    opened = Signature(_with_rows(signature.inputs, None, names), _with_rows(signature.outputs, None, output_names))
    return FoundRows(opened, output_names, fixed_rows)


def row_outputs(one_row: Arrays, two_rows: Arrays) -> frozenset[str]:
    """Names of the outputs whose axis 0 followed the number of rows: one for one row, two for two."""
    return frozenset(name for name in one_row if one_row[name].shape[:1] == (1,) and two_rows[name].shape[:1] == (2,))


def _can_be_divided(run: Run, names: frozenset[str], fixed_rows: int, inputs: Arrays, outputs: Arrays) -> bool:
    """Whether a model that takes so many rows only can be given others, in several calls and padded."""
    if any(array.shape[:1] != (fixed_rows,) for array in outputs.values()):
        return False
    if fixed_rows == 1:
        return True
    varied = varied_rows(inputs, names, fixed_rows)
    try:
        mixed = run(varied)
        alone = {row: run(repeated_rows(one_row(varied, names, row), names, fixed_rows)) for row in (0, fixed_rows - 1)}
    except PredictError:
        return False
    return rows_are_their_own(mixed, alone)


def gives_the_same(run: Run, other: Run, names: frozenset[str], fixed_rows: int, inputs: Arrays) -> bool:
    """Whether one that takes any number of rows gives for each what one gives that takes a fixed number.

    Args:
        run: The one for a fixed number of rows, each of which depends on the same row of the inputs only.
        other: The one for any number.
        names: The inputs that have rows.
        fixed_rows: How many rows `run` takes.
        inputs: What it was tried with.
    """
    varied = varied_rows(inputs, names, TRIAL_ROWS)
    verdicts = (_verdict(run, other, names, fixed_rows, _scaled(varied, names, scale)) for scale in SCALES)
    is_same = next((verdict for verdict in verdicts if verdict is not None), False)
    # A model may look at how large the values are, such as whether they are pixels, and must do so row by row.
    return is_same and _verdict(run, other, names, fixed_rows, _of_mixed_scales(varied, names)) is not False


def _verdict(run: Run, other: Run, names: frozenset[str], fixed_rows: int, varied: Arrays) -> bool | None:
    """None where the rows came out alike, so that nobody could tell them apart."""
    rows = [one_row(varied, names, row) for row in range(TRIAL_ROWS)]
    try:
        expected = [run(repeated_rows(row, names, fixed_rows)) for row in rows]
        together, alone = other(varied), other(rows[0])
    except PredictError:
        return False
    if not (_fit(alone, expected[:1]) and _fit(together, expected)):
        return False
    is_shown = any(_tells_apart(array, [row[name][0] for row in expected]) for name, array in together.items())
    return True if is_shown else None


def _tells_apart(rows: np.ndarray, expected: Sequence[np.ndarray]) -> bool:
    """Whether rows differ from each other by much more than from what was expected: rows mixed up would be noticed."""
    if rows.dtype.kind not in "fc":
        return not np.array_equal(rows[0], rows[-1])
    with np.errstate(invalid="ignore"):
        spread, error = np.abs(rows - rows[:1]), np.abs(rows - np.stack(expected))
    return bool(spread.size and spread.max() > APART * error.max())


def _scaled(arrays: Arrays, names: frozenset[str], scale: float) -> Arrays:
    return {
        name: array * array.dtype.type(scale) if name in names and array.dtype.kind == "f" else array
        for name, array in arrays.items()
    }


def _of_mixed_scales(arrays: Arrays, names: frozenset[str]) -> Arrays:
    """The first row as large as pixels, the others with values up to 1."""
    mixed = {}
    for name, array in arrays.items():
        is_scaled = name in names and array.dtype.kind == "f"
        mixed[name] = np.concatenate([array[:1] * array.dtype.type(SCALES[-1]), array[1:]]) if is_scaled else array
    return mixed


def _fit(outputs: Arrays, rows: Sequence[Arrays]) -> bool:
    return all(
        array.shape == (len(rows), *rows[0][name].shape[1:])
        and all(_are_close(array[place], row[name][0]) for place, row in enumerate(rows))
        for name, array in outputs.items()
    )


def rows_are_their_own(mixed: Arrays, alone: Mapping[int, Arrays]) -> bool:
    """Whether each row of the outputs depends on the same row of the inputs and on nothing else.

    Args:
        mixed: What a call gave for rows that differ. Where all rows came out alike, nothing is shown.
        alone: What calls gave that had one of those rows in every place, by the row.
    """
    is_shown = any(not np.array_equal(array[0], array[-1]) for array in mixed.values())
    return is_shown and all(
        outputs[name].shape == array.shape and all(_are_close(array[row], place) for place in outputs[name])
        for name, array in mixed.items()
        for row, outputs in alone.items()
    )


def _are_close(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype.kind in "fc":
        return np.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True)
    return np.array_equal(one, other)


def _with_rows(tensors: Mapping[str, TensorSpec], rows: int | None, names: frozenset[str]) -> dict[str, TensorSpec]:
    """The specs, those named with axis 0 of this size; None opens it."""
    return {
        name: TensorSpec(spec.dtype, (rows, *spec.shape[1:])) if name in names and spec.shape else spec
        for name, spec in tensors.items()
    }
