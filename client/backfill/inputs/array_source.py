"""Arrays in files as a source: what `.npy` and `.npz` have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass

import numpy as np

from client.backfill.fit import Fit, RowSpec
from client.backfill.inputs.block_reader import BLOCK_BYTES, BLOCK_ROWS, Blocks
from client.backfill.inputs.conversion import fit_rows
from client.backfill.inputs.decoding import Refused, decode_rows
from client.backfill.inputs.stored_array import ArrayHeader, RowArray
from client.errors import InputError
from client.npy import Array


@dataclass(frozen=True)
class StoredInput:
    """Where the rows of one input, or the keys, are.

    Attributes:
        where: File and member, for sentences.
        header: What the array is.
        open: Opens it for one pass.
    """

    where: str
    header: ArrayHeader
    open: Callable[[], RowArray]


@dataclass(frozen=True)
class ArrayTable:
    """An array for each input of the model, with the same number of rows.

    Attributes:
        fit: What the model takes.
        inputs: Where each input's rows are.
        ids: Where the keys are; None: a row's number is its key.
        round_floats: Whether floats may be rounded to a narrower dtype.
    """

    fit: Fit
    inputs: Mapping[str, StoredInput]
    ids: StoredInput | None
    round_floats: bool

    def check(self) -> int:
        """The number of rows, when dtypes, shapes and numbers of rows agree with the model and each other.

        Raises:
            InputError: They do not.
        """
        for name, stored in self.inputs.items():
            sample = np.empty((0, *stored.header.shape[1:]), stored.header.dtype)
            try:
                self._fit(name, sample)
            except Refused as refusal:
                raise InputError(str(refusal)) from None
        _check_ids(self.ids)
        stored_inputs = [*self.inputs.values(), *([self.ids] if self.ids else [])]
        if len({stored.header.shape[0] for stored in stored_inputs}) > 1:
            counts = ", ".join(f"{stored.header.shape[0]} in {stored.where}" for stored in stored_inputs)
            raise InputError(f"Expected the same number of rows in each array, found {counts}.")
        return stored_inputs[0].header.shape[0]

    def blocks(self, position: int) -> Blocks:
        """The rows from a position on."""
        total_rows = self.check()
        row_bytes = sum(stored.header.row_bytes for stored in self.inputs.values())
        step = max(1, min(BLOCK_ROWS, BLOCK_BYTES // max(1, row_bytes)))
        with ExitStack() as files:
            arrays = {name: files.enter_context(closing(stored.open())) for name, stored in self.inputs.items()}
            ids = files.enter_context(closing(self.ids.open())) if self.ids else None
            for start in range(position, total_rows, step):
                stop = min(start + step, total_rows)
                parts = {name: array.rows(start, stop) for name, array in arrays.items()}
                keys = _keys(start, stop) if ids is None else key_texts(ids.rows(start, stop))
                yield decode_rows(start, keys, Decoding(self, parts).rows)

    def keys(self) -> Iterator[str]:
        """The keys of all rows, where there are ids."""
        if self.ids is not None:
            with closing(self.ids.open()) as ids:
                total_rows = self.ids.header.shape[0]
                for start in range(0, total_rows, BLOCK_ROWS):
                    yield from key_texts(ids.rows(start, min(start + BLOCK_ROWS, total_rows)))

    def _fit(self, name: str, array: Array) -> Array:
        spec: RowSpec = self.fit.inputs[name]
        return fit_rows(array, spec, self.inputs[name].where, self.round_floats)


@dataclass(frozen=True)
class Decoding:
    """The rows of one block, on their way to what the model takes."""

    table: ArrayTable
    parts: Mapping[str, Array]

    def rows(self, start: int, stop: int) -> Mapping[str, Array]:
        """Some of them."""
        return {name: self.table._fit(name, array[start:stop]) for name, array in self.parts.items()}


def key_texts(ids: Array) -> list[str]:
    """Keys of an array of whole numbers or strings."""
    if ids.dtype.kind == "S":
        return [key.decode("utf-8", "backslashreplace") for key in ids.tolist()]
    if ids.dtype.kind == "U":
        return [key.encode("utf-8", "backslashreplace").decode() for key in ids.tolist()]
    return list(map(str, ids.tolist()))


def _keys(start: int, stop: int) -> list[str]:
    return list(map(str, range(start, stop)))


def _check_ids(ids: StoredInput | None) -> None:
    if ids is not None and (len(ids.header.shape) != 1 or ids.header.dtype.kind not in "iuSU"):
        found = f"{ids.header.dtype} of shape {ids.header.shape}"
        raise InputError(f"{ids.where}: expected one whole number or string a row as its id, found {found}.")
