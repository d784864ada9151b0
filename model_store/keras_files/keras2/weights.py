"""Gives a model the values that an HDF5 file of Keras has for it: each to one variable, and none left over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from model_store.errors import LoadError
from model_store.keras_files.keras2.rnn_weights import converted

Values = list[tuple[str, np.ndarray]]

TOP_LEVEL = "top_level_model_weights"


def assign_weights(
    file: h5py.File, layers: Mapping[str, Any], members: Mapping[int, Sequence[Any]] = MappingProxyType({})
) -> None:
    """Assign all values of the file to the layers of the model, by the layers' names in the file.

    Args:
        file: The open file.
        layers: The model's layers by name.
        members: The layers of each model within, in the file's order, by the id of the model; where there are none,
            the order is Keras 3's.

    Raises:
        LoadError: A value has no variable, a variable no value, or their shapes differ.
    """
    group = file.get("model_weights", file)
    saved = saved_layers(file)
    if TOP_LEVEL in group and _values(group[TOP_LEVEL]):
        raise LoadError("has weights outside of its layers, whose meaning only its own code knows.")
    ordered = {name: [*chain(*_variables(layer, members))] for name, layer in layers.items()}
    wanted = {name: variables for name, variables in ordered.items() if variables}
    _compare("layers with weights", wanted.keys(), set(saved))
    for name in saved:
        shapes = [tuple(variable.shape) for variable in wanted[name]]
        _assign(name, wanted[name], converted(_values(group[name]), shapes))
    for layer in layers.values():
        _finish(layer)


def saved_layers(file: h5py.File) -> list[str]:
    """The layers that the file has weights for, in its order."""
    group = file.get("model_weights", file)
    return [name for name in _names(group, "layer_names") if _names(group[name], "weight_names")]


def _compare(what: str, wanted: Any, saved: Any) -> None:
    if wanted ^ saved:
        unknown, missing = (", ".join(sorted(names)) or "none" for names in (saved - wanted, wanted - saved))
        raise LoadError(
            f"does not fit its own description: {what} it does not describe: {unknown}; that have none: {missing}."
        )


def _names(group: h5py.Group, key: str) -> list[str]:
    """A list of names, which Keras divides over several attributes where it is long."""
    if key in group.attrs:
        parts = [group.attrs[key]]
    else:
        parts = []
        while f"{key}{len(parts)}" in group.attrs:
            parts.append(group.attrs[f"{key}{len(parts)}"])
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts for name in part]


def _values(group: h5py.Group) -> Values:
    return [(name, np.asarray(group[name])) for name in _names(group, "weight_names")]


def _variables(layer: Any, members: Mapping[int, Sequence[Any]]) -> tuple[list[Any], list[Any]]:
    """Those that are trained and those that are not, each in the order in which Keras writes them."""
    # A wrapper of a model has no weights but those of the model.
    inner = members.get(id(layer)) or members.get(id(getattr(layer, "layer", None)))
    if inner is None:
        return getattr(layer, "trainable_weights", []), getattr(layer, "non_trainable_weights", [])
    pairs = [_variables(member, members) for member in inner]
    return [one for trained, _ in pairs for one in trained], [one for _, fixed in pairs for one in fixed]


def _assign(layer: str, variables: Sequence[Any], values: Values) -> None:
    if len(variables) != len(values):
        raise LoadError(f"has {len(values)} weights for its layer {layer!r}, which needs {len(variables)}.")
    for variable, (name, value) in zip(variables, _in_order(variables, values), strict=True):
        if tuple(variable.shape) != value.shape:
            raise LoadError(
                f"has a weight {name} of shape {value.shape} for its layer {layer!r}, "
                f"which needs {tuple(variable.shape)}."
            )
        variable.assign(value)


def _in_order(variables: Sequence[Any], values: Values) -> Values:
    """The values as the variables stand: by their last names where these are the same ones, else as in the file."""
    wanted = [variable.name for variable in variables]
    by_name = {_last_name(name): (name, value) for name, value in values}
    if len(by_name) == len(values) and by_name.keys() == set(wanted):
        return [by_name[name] for name in wanted]
    return values


def _last_name(name: str) -> str:
    return name.rpartition("/")[2].partition(":")[0]


def _finish(layer: Any) -> None:
    """Some layers compute from their values what they use, as soon as these are known."""
    finish: Callable[[], None] | None = getattr(layer, "finalize_state", None)
    if finish is not None and layer.built:
        finish()
    for inner in getattr(layer, "layers", ()):
        _finish(inner)
