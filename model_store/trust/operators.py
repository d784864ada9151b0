"""Which of TensorFlow's operators a model file may bring: `operators.toml` has them in groups, with reasons."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

LIST_FILE = Path(__file__).with_name("operators.toml")
UNKNOWN = "Celeriac does not know them, as TensorFlow has got them since"
LOG_STREAMS = ("stderr", "stdout", "log(info)", "log(warning)", "log(error)")
# The operators that read a file of the SavedModel itself, with the input that names it.
NAME_INPUTS = {
    "InitializeTableFromTextFile": 1,
    "InitializeTableFromTextFileV2": 1,
    "Restore": 0,
    "RestoreSlice": 0,
    "RestoreV2": 0,
}


@dataclass(frozen=True)
class Group:
    """Operators that can do the same.

    Attributes:
        name: The group's, in `operators.toml`.
        is_allowed: Whether a model file may bring them.
        reason: What they do, which allows or forbids them, such as "they compute numbers from numbers".
        operators: TensorFlow's names of them.
    """

    name: str
    is_allowed: bool
    reason: str
    operators: frozenset[str]


@cache
def read_groups() -> tuple[Group, ...]:
    """All groups, the allowed ones first."""
    tables = tomllib.loads(LIST_FILE.read_text(encoding="utf-8"))
    return tuple(
        Group(name, verdict == "allowed", group["reason"], frozenset(group["operators"].split()))
        for verdict in ("allowed", "refused")
        for name, group in tables[verdict].items()
    )


@cache
def group_of(operator: str) -> Group | None:
    """The group that an operator is in; None for one that nobody has judged."""
    return next((group for group in read_groups() if operator in group.operators), None)


def refusal(operator: str, attributes: Mapping[str, Any]) -> str | None:
    """Why a model file may not bring this operator with these attributes; None where it may.

    Args:
        operator: TensorFlow's name of it.
        attributes: A NodeDef's `attr`, where one can turn a harmless operator into another.
    """
    group = group_of(operator)
    if group is None:
        return UNKNOWN
    if not group.is_allowed:
        return group.reason
    check = _ATTRIBUTE_CHECKS.get(operator)
    return check(attributes) if check else None


def _printed_file(attributes: Mapping[str, Any]) -> str | None:
    stream = _text(attributes, "output_stream") or "stderr"
    return None if stream in LOG_STREAMS else f"they write to {stream[:80]!r}, which is not the worker's log"


def _descriptor_file(attributes: Mapping[str, Any]) -> str | None:
    source = _text(attributes, "descriptor_source") or "local://"
    is_inside = source == "local://" or source.startswith("bytes://")
    return None if is_inside else f"they read {source[:80]!r}, a file outside the model"


def _text(attributes: Mapping[str, Any], name: str) -> str:
    if name not in attributes:
        return ""
    # In a function this stands for whatever a caller gives.
    if attributes[name].WhichOneof("value") == "placeholder":
        return f"what its caller names by {attributes[name].placeholder}"
    return bytes(attributes[name].s).decode("utf-8", "replace")


_ATTRIBUTE_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "PrintV2": _printed_file,
    "DecodeProtoV2": _descriptor_file,
    "EncodeProto": _descriptor_file,
}
