"""What a model answered to consecutive rows: arrays with rows on axis 0, or a JSON document a row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from client.errors import OutputError
from client.npy import Array

Document: TypeAlias = Mapping[str, Any]

#: By output name, each with as many rows on axis 0 as there are keys; or one JSON object a row, as detectors answer.
Answers: TypeAlias = Mapping[str, Array] | Sequence[Document]

#: The column, member or field that holds a row's key.
ID = "id"


def check_rows(first: int, keys: Sequence[str], answers: Answers) -> None:
    """Return only when the answers have a row for each key.

    Raises:
        OutputError: They have more or fewer.
    """
    if isinstance(answers, Mapping):
        wrong = {name: array.shape for name, array in answers.items() if array.shape[:1] != (len(keys),)}
    else:
        wrong = {"the list of documents": (len(answers),)} if len(answers) != len(keys) else {}
    for name, shape in wrong.items():
        raise OutputError(f"Rows {first} to {first + len(keys) - 1}: {len(keys)} rows expected; {name} has {shape}.")


def column_name(name: str, taken: Collection[str]) -> str:
    """What an output is called in the file: its own name, but `output_id` where that would hide the key."""
    if name != ID:
        return name
    renamed = f"output_{ID}"
    while renamed in taken:
        renamed = f"output_{renamed}"
    return renamed
