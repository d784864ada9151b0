"""Which columns of a table make up which input of the model. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from client.backfill.fit import Fit, RowSpec
from client.errors import InputError

#: Where a model takes pictures: names of a column with pictures or their paths, after the input's own name.
PICTURE_COLUMNS = ("image", "picture", "path", "file", "file_name", "bytes")

#: `x_0`, `x.0` or `x[0]`: the first value of input x.
_NUMBERED = re.compile(r"(?P<name>.+?)(?:[_.](?P<bare>\d+)|\[(?P<bracketed>\d+)\])")
_LISTED_NAMES = 12


@dataclass(frozen=True)
class ColumnPlan:
    """What is read of a table.

    Attributes:
        inputs: For each input the positions of its columns, in their order; several are one row's flat values.
        picture: The position of the column with pictures or their paths; None: rows are arrays.
        id: The position of the column with the keys; None: a row's number is its key.
        unused: Names of the columns that nothing is read of.
    """

    inputs: Mapping[str, tuple[int, ...]]
    picture: int | None
    id: int | None
    unused: tuple[str, ...]

    def notes(self) -> list[str]:
        """What people should know of it."""
        if not self.unused:
            return []
        return [f"Not used: {listed(self.unused)}."]


def plan_columns(
    names: Sequence[str], fit: Fit, id_column: str | None, where: str, pictures: Container[str] | None = None
) -> ColumnPlan:
    """Find the columns of each input, of the pictures and of the keys.

    Args:
        names: The table's columns.
        fit: What the model takes.
        id_column: The column with the keys; None: there is none.
        where: The file, for the sentences.
        pictures: The columns that may hold pictures or paths; None: any.

    Raises:
        InputError: An input has no column, or a name that is needed stands there twice.
    """
    id_position = None if id_column is None else _only(names, id_column, where)
    candidates = [name for name in names if pictures is None or name in pictures] if fit.takes_pictures else []
    picture = _picture_column(names, candidates, fit, id_column, where)
    inputs = {} if picture is not None else {name: _columns(names, name, fit, where) for name in fit.inputs}
    used = {id_position, picture, *(position for positions in inputs.values() for position in positions)}
    unused = tuple(name for position, name in enumerate(names) if position not in used)
    return ColumnPlan(inputs, picture, id_position, unused)


def _picture_column(
    names: Sequence[str], candidates: Sequence[str], fit: Fit, id_column: str | None, where: str
) -> int | None:
    own = list(fit.inputs) if len(fit.inputs) == 1 else []
    if any(name in names and name not in candidates for name in own):
        return None
    known = [*own, *PICTURE_COLUMNS]
    # A column of paths may well be the key too; another one is preferred.
    known.sort(key=lambda name: name == id_column)
    return next((_only(names, name, where) for name in known if name in candidates), None)


def _columns(names: Sequence[str], name: str, fit: Fit, where: str) -> tuple[int, ...]:
    if name in names:
        return (_only(names, name, where),)
    numbered = _numbered(names, name, where)
    _check_count(numbered, name, fit.inputs[name], where)
    if not numbered:
        pictures = f" or of pictures ({', '.join(PICTURE_COLUMNS)})" if fit.takes_pictures else ""
        raise InputError(
            f"{where} has no column for input {name!r} of model {fit.model!r}: expected a column {name}, or columns "
            f"{name}_0, {name}_1 and so on{pictures}; found {listed(names) or 'no columns'}."
        )
    return numbered


def _numbered(names: Sequence[str], name: str, where: str) -> tuple[int, ...]:
    numbered: dict[int, int] = {}
    for position, column in enumerate(names):
        match = _NUMBERED.fullmatch(column)
        if match and match["name"] == name:
            number = int(match["bare"] or match["bracketed"])
            if number in numbered:
                raise InputError(f"{where} has two columns for value {number} of input {name!r}; keep one of them.")
            numbered[number] = position
    missing = next((number for number in range(len(numbered)) if number not in numbered), None)
    if missing is not None:
        raise InputError(f"{where} has columns up to {name}_{max(numbered)}, and none for value {missing}.")
    return tuple(numbered[number] for number in sorted(numbered))


def _check_count(numbered: tuple[int, ...], name: str, spec: RowSpec, where: str) -> None:
    if numbered and spec.size not in (None, len(numbered)):
        raise InputError(
            f"{where} has {len(numbered)} numbered columns for input {name!r}, which takes {spec.size} values: {spec}."
        )


def _only(names: Sequence[str], name: str, where: str) -> int:
    count = Counter(names)[name]
    if count != 1:
        found = "twice or more" if count else f"only {listed(names) or 'no columns'}"
        raise InputError(f"{where}: expected one column {name!r}, found {found}.")
    return names.index(name)


def listed(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    listed = ", ".join(names[:_LISTED_NAMES])
    return f"{listed} and {len(names) - _LISTED_NAMES} more" if len(names) > _LISTED_NAMES else listed
