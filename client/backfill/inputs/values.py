"""Values as JSON and CSV have them -> arrays of the model's dtype; nothing is rounded to an integer, cut or guessed."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from client.backfill.fit import RowSpec
from client.backfill.inputs.conversion import fit_rows
from client.backfill.inputs.decoding import Refused
from client.npy import Array
from client.tensor_fit import STRING

_KIND_NAMES = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list that is nested deeper than its neighbours",
    str: "a string",
    type(None): "null",
}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_SHOWN_CHARACTERS = 40


def rows_of_values(values: Sequence[Any], spec: RowSpec, where: str) -> Array:
    """Rows of numbers, booleans or strings, or of nested lists of them, as the model takes them.

    Args:
        values: One value a row, as `json.loads` gives it. `{"b64": …}` stands for a string's bytes.
        spec: What the model takes.
        where: The column or field, for the sentence.

    Raises:
        Refused: A ragged list, a value of another kind (null included), one that the dtype cannot hold, or another
            shape.
    """
    leaves, shape = _flatten(values, where)
    return fit_rows(_array(leaves, spec.dtype, where).reshape(shape), spec, where)


def rows_of_texts(texts: Sequence[Sequence[str]], spec: RowSpec, where: str) -> Array:
    """Rows of cells, the same number in each; a single one is a scalar.

    Raises:
        Refused: As for `rows_of_values`; also a cell that is no number.
    """
    cells = list(chain.from_iterable(texts))
    values = cells if spec.dtype == STRING else _parse(cells, spec.dtype, where)
    width = len(texts[0])
    shape = (len(texts),) if width == 1 else (len(texts), width)
    return fit_rows(_array(values, spec.dtype, where).reshape(shape), spec, where)


def bytes_of(value: Any) -> bytes | None:
    """What `{"b64": …}` stands for; None for any other value, and for base64 that is damaged."""
    if not isinstance(value, Mapping) or set(value) != {"b64"}:
        return None
    try:
        return b64decode(value["b64"], validate=True)
    except (TypeError, ValueError):
        return None


def _flatten(values: Sequence[Any], where: str) -> tuple[list[Any], tuple[int, ...]]:
    """All values at the depth of the first one, without a loop in Python over them, and the shape."""
    leaves, shape = list(values), [len(values)]
    while leaves and isinstance(leaves[0], list):
        lengths = set(map(len, leaves)) if set(map(type, leaves)) == {list} else set()
        if len(lengths) != 1:
            raise Refused(f"{where}: expected lists of one length at each depth, found a ragged list.")
        shape += lengths
        leaves = list(chain.from_iterable(leaves))
    return leaves, tuple(shape)


def _array(leaves: list[Any], dtype: str, where: str) -> Array:
    if dtype == STRING:
        return _strings(leaves, where)
    kind = np.dtype(dtype).kind
    kinds: dict[str, set[type]] = {"b": {bool}, "c": {int, float, complex}}
    allowed = kinds.get(kind, {int, float})
    if stranger := next((leaf for leaf in set(map(type, leaves)) - allowed), None):
        raise Refused(f"{where}: expected {dtype} numbers, found {_KIND_NAMES.get(stranger, stranger.__name__)}.")
    try:
        return _integers(leaves, dtype) if kind in "iu" else _floats(leaves, dtype)
    except (OverflowError, ValueError):
        raise Refused(f"{where}: expected {dtype} numbers, found {_culprit(leaves, dtype)}.") from None


def _integers(leaves: list[Any], dtype: str) -> Array:
    """Raises OverflowError for what the dtype cannot hold, ValueError for fractions."""
    if float not in set(map(type, leaves)):
        return np.array(leaves, dtype)
    if not all(map(_is_whole, leaves)):
        raise ValueError
    return np.array(list(map(int, leaves)), dtype)


def _floats(leaves: list[Any], dtype: str) -> Array:
    """Raises OverflowError for infinity: text has the same for it and for a number that is too large."""
    kind = np.dtype(dtype).kind
    with np.errstate(over="ignore"):
        array = np.array(leaves, {"f": "f8", "c": "c16"}.get(kind, dtype)).astype(dtype)
    if np.isinf(array).any():
        raise OverflowError
    return array


def _is_whole(number: float) -> bool:
    return isinstance(number, int) or number.is_integer()


def _strings(leaves: list[Any], where: str) -> Array:
    array = np.empty(len(leaves), object)
    for index, leaf in enumerate(leaves):
        string = leaf if isinstance(leaf, str) else bytes_of(leaf)
        if string is None:
            raise Refused(
                f'{where}: expected a string or {{"b64": …}}, found {_KIND_NAMES.get(type(leaf), "neither")}.'
            )
        array[index] = string
    return array


def _culprit(leaves: list[Any], dtype: str) -> str:
    for leaf in leaves:
        try:
            (_integers if np.dtype(dtype).kind in "iu" else _floats)([leaf], dtype)
        except (OverflowError, ValueError):
            return f"{repr(leaf)[:_SHOWN_CHARACTERS]}, which is out of its range or no whole number"
    return "none"


def _parse(cells: list[str], dtype: str, where: str) -> list[Any]:
    parse = _PARSERS[np.dtype(dtype).kind]
    try:
        return list(map(parse, cells))
    except ValueError:
        culprit = next(cell for cell in cells if not _is_parsed(parse, cell))
        found = f"{culprit[:_SHOWN_CHARACTERS]!r}" if culprit.strip() else "an empty cell"
        raise Refused(f"{where}: expected {dtype} numbers, found {found}.") from None


def _is_parsed(parse: Callable[[str], Any], cell: str) -> bool:
    try:
        parse(cell)
    except ValueError:
        return False
    return True


def _integer(cell: str) -> float:
    try:
        return int(cell)
    except ValueError:
        return float(cell)


def _boolean(cell: str) -> bool:
    try:
        return _BOOLEANS[cell.strip().lower()]
    except KeyError:
        raise ValueError from None


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "b": _boolean,
    "c": complex,
    "f": float,
    "i": _integer,
    "u": _integer,
}
