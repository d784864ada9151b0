"""Which layer is called on what: the graph of a functional model as Keras 1 and 2 wrote it. Pure.

A reference to a tensor is `[layer, call number, output number]`, followed by keyword arguments where it is an input of
a call. The inputs of a call are one reference, or lists and dicts of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_store.errors import LoadError

# Stands where an operator's first input is a number instead of a tensor.
CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True)
class Reference:
    """One output of one call of a layer."""

    layer: str
    call: int
    output: int


@dataclass(frozen=True)
class Constant:
    """A value in place of a tensor."""

    value: Any


@dataclass(frozen=True)
class Call:
    """A layer called once.

    Attributes:
        inputs: A Reference or Constant, or lists and dicts of them.
        keywords: Further arguments, with References in place of tensors.
    """

    inputs: Any
    keywords: Mapping[str, Any]


def read_call(node: Any, names: Collection[str]) -> Call:
    """Read one inbound node of a layer; `names` are those of all layers of the model."""
    keywords: dict[str, Any] = {}

    def leaf(value: list[Any]) -> Any:
        if len(value) > 3 and isinstance(value[3], dict):
            keywords.update({key: _with_references(item, names) for key, item in value[3].items()})
        return Constant(value[2]) if value[0] == CONSTANT else Reference(*value[:3])

    return Call(_single(_mapped(node, leaf)), keywords)


def read_tensors(value: Any) -> Any:
    """Read `input_layers` or `output_layers`: a Reference, or lists and dicts of them."""
    return _single(_mapped(value, lambda leaf: Reference(*leaf[:3])))


def references(value: Any) -> Iterator[Reference]:
    """All References within, in the order in which Keras flattens: that of dicts is by key."""
    if isinstance(value, Reference):
        yield value
    if isinstance(value, Call):
        yield from references([value.inputs, dict(value.keywords)])
    members = [value[key] for key in sorted(value)] if isinstance(value, dict) else value
    if isinstance(members, list):
        for member in members:
            yield from references(member)


def replaced(value: Any, replace: Callable[[Any], Any]) -> Any:
    """The same lists and dicts with each Reference and Constant replaced."""
    if isinstance(value, Reference | Constant):
        return replace(value)
    if isinstance(value, dict):
        return {key: replaced(item, replace) for key, item in value.items()}
    return [replaced(item, replace) for item in value] if isinstance(value, list) else value


def _mapped(value: Any, leaf: Callable[[list[Any]], Any]) -> Any:
    if _is_leaf(value):
        return leaf(value)
    if isinstance(value, list):
        return [_mapped(item, leaf) for item in value]
    if isinstance(value, dict) and not {"args", "kwargs"} <= value.keys():
        return {key: _mapped(item, leaf) for key, item in value.items()}
    raise LoadError(f"is damaged: a layer is called on {str(value)[:80]!r}, which names no tensor.")


def _with_references(value: Any, names: Collection[str]) -> Any:
    if _is_leaf(value) and len(value) == 3 and value[0] in names:
        return Reference(*value)
    if isinstance(value, list):
        return [_with_references(item, names) for item in value]
    return {key: _with_references(item, names) for key, item in value.items()} if isinstance(value, dict) else value


def _is_leaf(value: Any) -> bool:
    if not isinstance(value, list) or len(value) < 3 or not isinstance(value[0], str):
        return False
    return value[0] == CONSTANT or (type(value[1]) is int and type(value[2]) is int)


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
