"""Activations by the names that Keras 1 and 2 wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from model_store.errors import LoadError
from model_store.keras_files import classes as keras_classes

Activation = Callable[[Any], Any]


@keras.saving.register_keras_serializable("celeriac")  # type: ignore[untyped-decorator]
def hard_sigmoid(x: Any) -> Any:
    """Keras 2's, 0.2 x + 0.5 within 0 and 1; Keras 3 has x / 6 + 0.5 under this name."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


OF_KERAS_2: Mapping[str, Activation] = {"hard_sigmoid": hard_sigmoid}


def activation_name(value: Any) -> str | None:
    """The name that the file has for a function: alone, or described as `{"class_name": "function", "config": name}`.

    None for a layer in a function's place.
    """
    if isinstance(value, dict):
        value = value.get("config")
    return value if isinstance(value, str) else None


def known_activation(name: str) -> Activation | None:
    """The function of this name as Keras 1 and 2 had it; None where they had none."""
    return OF_KERAS_2.get(name) or keras_classes.activation(name)


def find_activation(name: str | None, custom_objects: Mapping[str, Any]) -> Activation:
    """The function of this name, the one that changes nothing for None.

    Raises:
        LoadError: Neither Keras nor the operator has it.
    """
    name = name or "linear"
    found: Activation | None = custom_objects.get(name) or known_activation(name)
    if found is None:
        raise LoadError(f"needs the function {name}, which Keras does not have.")
    return found
