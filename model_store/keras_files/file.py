"""Opens a Keras file, `.h5` or `.hdf5` of any Keras or `.keras`, with Keras 3."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras

from model_store.errors import LoadError
from model_store.keras_files.code import refuse_code
from model_store.keras_files.config import KerasConfig, objects, read_config
from model_store.keras_files.custom_objects import find_custom_objects
from model_store.keras_files.keras2.archive import assign_archived_weights
from model_store.keras_files.keras2.model import build_model
from model_store.keras_files.keras2.weights import assign_weights, saved_layers
from model_store.keras_files.program import trace
from model_store.program import Program, one_line
from model_store.spec import ModelSpec
from model_store.trust.digest import is_trusted

# A model, and the names of its inputs and outputs as Keras flattens them.
Loaded = tuple[Any, Sequence[str], Sequence[str]]

NEVER_BUILT = (
    "does not say what its model takes, as it was never built. Call it once on an example before saving it, or export "
    "it with model.export(folder)."
)


def open_keras_file(path: Path, spec: ModelSpec) -> Program:
    """Open a Keras model for inference; one that brings its own code is refused unless model.toml trusts this file.

    Raises:
        Untrusted: It brings code, or parts of it lie in other files.
        LoadError: The file is damaged, holds weights only, needs layers that nobody has, or does not fit
            its own description.
        SpecError: The custom objects of model.toml cannot be imported.
    """
    if keras.backend.backend() != "tensorflow":
        raise LoadError(f"{path} needs Keras on TensorFlow, but Keras is set to {keras.backend.backend()}.")
    custom_objects = find_custom_objects(spec)
    trusted = is_trusted(path, spec)
    try:
        config = read_config(path)
        load = _load_keras_3 if config.major == 3 else _load_keras_2
        if not trusted:
            _quietly(lambda: refuse_code(config, custom_objects))
        return trace(*_quietly(lambda: load(path, config, custom_objects, trusted)))
    except LoadError as error:
        raise type(error)(f"{path} {error}") from None


def _quietly(load: Callable[[], Any]) -> Any:
    try:
        with warnings.catch_warnings():
            # Advice to whoever wrote the model, of no use to whoever serves it.
            warnings.simplefilter("ignore")
            return load()
    except LoadError:
        raise
    # Keras lets through whatever its layers raise at a file they do not understand.
    except Exception as error:
        raise LoadError(f"is refused by Keras {keras.__version__}: {one_line(error)}.") from None


def _load_keras_2(path: Path, config: KerasConfig, custom_objects: Mapping[str, Any], trusted: bool) -> Loaded:
    built = build_model(config.model, custom_objects, trusted)
    if not built.input_names:
        raise LoadError(NEVER_BUILT)
    if config.is_zip:
        assign_archived_weights(path, config.model, built.model)
    else:
        with h5py.File(path) as file:
            assign_weights(file, built.layers, built.members)
    return built.model, built.input_names, built.output_names


def _load_keras_3(path: Path, config: KerasConfig, custom_objects: Mapping[str, Any], trusted: bool) -> Loaded:
    # Keras goes by the name under which a class was registered, people by that of the class.
    registered = {item.get("registered_name"): custom_objects.get(item["class_name"]) for item in objects(config.model)}
    custom_objects = {**custom_objects, **{name: found for name, found in registered.items() if name and found}}
    model = keras.models.load_model(path, custom_objects=custom_objects, compile=False, safe_mode=not trusted)
    try:
        inputs = list(model.inputs)
    except (AttributeError, TypeError):
        raise LoadError(NEVER_BUILT) from None
    if not config.is_zip:
        # Keras goes by the order of the layers, which changes from version to version, and not by their names.
        with h5py.File(path) as file:
            if saved_layers(file) != [layer.name for layer in model.layers if layer.weights]:
                assign_weights(file, {layer.name: layer for layer in model.layers})
    _forget_states(model)
    return model, [tensor.name for tensor in inputs], _output_names(model)


def _forget_states(layer: Any) -> None:
    """What one job leaves behind in a recurrent layer is nothing that the next one should find."""
    if getattr(layer, "stateful", False) and isinstance(layer, keras.layers.RNN):
        layer.stateful = False
    inner = [getattr(layer, key, None) for key in ("layer", "forward_layer", "backward_layer")]
    for member in [*getattr(layer, "layers", ()), *inner]:
        if member is not None:
            _forget_states(member)


def _output_names(model: Any) -> list[str]:
    if isinstance(model, keras.Sequential):
        return [model.layers[-1].name]
    if isinstance(model.output, dict):
        return list(keras.tree.flatten({name: name for name in model.output}))
    return list(model.output_names)
