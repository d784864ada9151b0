"""One setting: what is told of it, and how its text in the environment becomes a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.api_keys import parse_api_keys
from tasks.callbacks.receivers import parse_receivers
from tasks.callbacks.signing import parse_secrets
from tasks.errors import SettingsError

_KEY_PREFIX = re.compile(r"[A-Za-z0-9:._-]*")

#: What reads the text of a setting with a form of its own, by the annotation of its field.
_READERS: Mapping[str, Callable[[str], Any]] = {
    "KeyHashes": parse_api_keys,
    "CallbackSecrets": parse_secrets,
    "Receivers": parse_receivers,
}


@dataclass(frozen=True)
class Description:
    """What a reader of the documentation is told of one setting.

    `low` and `high` bound a number, ends included.
    """

    name: str
    meaning: str
    low: int | None = None
    high: int | None = None


def setting(name: str, default: Any, meaning: str, low: int | None = None, high: int | None = None) -> Any:
    """A field of `Settings` with what is told of it."""
    return field(default=default, metadata={"description": Description(name, meaning, low, high)})


def secret(name: str, default: Any, meaning: str) -> Any:
    """The same for one that is not in the repr, which ends up in logs and in the reports of failed assertions."""
    return field(default=default, repr=False, metadata={"description": Description(name, meaning)})


def parse_setting(description: Description, text: str, kind: str) -> Any:
    """The value of a setting from its text.

    Args:
        description: The setting.
        text: What the environment has, without space around it and not empty.
        kind: The annotation of its field in `Settings`.

    Raises:
        SettingsError: It cannot be used; the sentence names the setting, what was expected, what came.
    """
    if kind.startswith("int"):
        return _parse_int(description, text)
    if kind == "Path":
        return Path(text)
    if kind in _READERS:
        return _read(description, text, _READERS[kind])
    if description.name == "CELERIAC_KEY_PREFIX" and not _KEY_PREFIX.fullmatch(text):
        raise SettingsError(
            f"{description.name} is expected as letters, digits and the signs :._- only; it is {text!r}."
        )
    if description.name == "CELERIAC_FLOWER_BASIC_AUTH" and not all(text.partition(":")):
        raise SettingsError(f"{description.name} is expected as user:password; set both.")
    return text


def _parse_int(description: Description, text: str) -> int:
    low, high = description.low, description.high
    expected = f"{description.name} is expected as a whole number from {low} to {high}"
    try:
        number = int(text)
    except ValueError:
        raise SettingsError(f"{expected}; it is {text!r}. Correct it or unset it.") from None
    if (low is not None and number < low) or (high is not None and number > high):
        raise SettingsError(f"{expected}; it is {number}. Correct it or unset it.")
    return number


def _read(description: Description, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise SettingsError(f"{description.name} {error}") from None
