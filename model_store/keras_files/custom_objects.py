"""Finds the operator's own classes and functions that a model.toml names for a Keras file."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from model_store.errors import SpecError
from model_store.program import one_line
from model_store.spec import ModelSpec


def find_custom_objects(spec: ModelSpec) -> dict[str, Any]:
    """Import what `[custom_objects]` names, from Python's own search path: the model's folder is not on it.

    Raises:
        SpecError: A module or a name in it does not exist, or the module fails.
    """
    return {name: _find(spec, name, place) for name, place in spec.custom_objects.items()}


def _find(spec: ModelSpec, name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    # A module can fail with anything.
    except Exception as error:
        raise SpecError(
            f'{spec.file}: custom_objects."{name}" = "{place}" cannot be imported: {type(error).__name__}: '
            f"{one_line(error)}. The module must be one that this worker's Python finds, by PYTHONPATH or installed."
        ) from None
    if not callable(found):
        raise SpecError(f'{spec.file}: custom_objects."{name}" = "{place}" is no class and no function.')
    return found
