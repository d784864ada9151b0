"""One table of a model.toml or versions.toml: reads its values, and says in a sentence which one is wrong.

Those below `read_toml` parse one value each and raise ValueError for a wrong one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from model_store.errors import SpecError

T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """One TOML table, with what its messages must name."""

    file: Path
    prefix: str
    values: Mapping[str, Any]

    def refuse_unknown_keys(self, *known: str) -> None:
        """Raise SpecError for a key that is not among those known."""
        for key in self.values:
            if key not in known:
                message = f"{self.file} has an unknown key {self.prefix}{key}; known are {', '.join(known)}."
                raise SpecError(message)

    def read(self, key: str, expected: str, parse: Callable[[Any], T]) -> T | None:
        """The parsed value, None where the key is absent; `parse` raises ValueError for a wrong value."""
        if key not in self.values:
            return None
        try:
            return parse(self.values[key])
        except (ValueError, TypeError):
            raise self._wrong(key, expected) from None

    def table(self, key: str) -> Table:
        """The table under a key, empty where it is absent."""
        values = self.values.get(key, {})
        if not isinstance(values, dict):
            raise self._wrong(key, f"a table, written as [{key}]")
        return Table(self.file, f"{self.prefix}{key}.", values)

    def _wrong(self, key: str, expected: str) -> SpecError:
        value = repr(self.values[key])
        shown = value if len(value) <= 80 else f"{value[:80]}…"
        return SpecError(f"{self.file}: {self.prefix}{key} must be {expected}, but is {shown}.")


def read_toml(text: str, file: Path) -> Table:
    """The outermost table of a TOML file's text; `file` is for messages. Raises SpecError where it is no TOML."""
    try:
        return Table(file, "", tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{file} is not valid TOML: {error}.") from None


def one_of(*allowed: str) -> Callable[[Any], str]:
    """Takes one of the strings given."""

    def parse(value: Any) -> str:
        if value not in allowed:
            raise ValueError
        return str(value)

    return parse


def whole_number(lowest: int, highest: int) -> Callable[[Any], int]:
    """Takes an integer between the two, both allowed; no boolean, no float."""

    def parse(value: Any) -> int:
        if type(value) is not int or not lowest <= value <= highest:
            raise ValueError
        return value

    return parse


def name(value: Any) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def number(value: Any) -> float:
    """A finite integer or float."""
    if type(value) not in (int, float) or not isfinite(value):
        raise ValueError
    return float(value)


def fraction(value: Any) -> float:
    """A number from 0 to 1."""
    share = number(value)
    if not 0 <= share <= 1:
        raise ValueError
    return share


def items(value: Any) -> list[Any]:
    """A list, of anything."""
    if not isinstance(value, list):
        raise ValueError
    return value
