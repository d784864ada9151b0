"""A `.npy` file: one array, for models with one input. Any row is reached at once."""

from __future__ import annotations

from pathlib import Path

from client.backfill.fit import Fit
from client.backfill.inputs.array_source import ArrayTable, StoredInput
from client.backfill.inputs.block_reader import BlockSource
from client.backfill.inputs.fingerprint import file_fingerprint
from client.backfill.inputs.options import ReadOptions
from client.backfill.inputs.stored_array import MappedArray, check_length, read_header
from client.backfill.inputs.text_lines import unreadable
from client.errors import InputError


def open_npy(path: Path, fit: Fit, options: ReadOptions) -> BlockSource:
    """A `.npy` file as a source.

    Raises:
        InputError: It cannot be read, is damaged or does not fit the model.
    """
    if len(fit.inputs) != 1:
        raise InputError(
            f"{path} holds one array, and model {fit.model!r} has the inputs {', '.join(fit.inputs)}; "
            "save them together as .npz, each under its input's name."
        )
    if options.id_column is not None:
        raise InputError(f"{path} has no place for ids; save array and ids together as .npz, or leave --id-column out.")
    try:
        with path.open("rb") as file:
            header = read_header(file, str(path))
            array = MappedArray(path, file.tell(), header)
    except OSError as error:
        raise unreadable(path, error) from None
    check_length(array)
    (name,) = fit.inputs
    table = ArrayTable(fit, {name: StoredInput(str(path), header, lambda: array)}, None, options.round_floats)
    return BlockSource(file_fingerprint(path), table.check(), (), table.blocks)
